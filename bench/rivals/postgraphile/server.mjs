// PostGraphile as its documentation sets it up, on the admin plane's own tables. Keys are a map in memory; each request's
// transaction has the same role, tenant and origin as the admin plane's, so that row-level security and the audit log's
// triggers do for it what they do for the other.
import { createServer } from 'node:http'
import { makePgService } from 'postgraphile/adaptors/pg'
import { grafserv } from 'postgraphile/grafserv/node'
import { postgraphile } from 'postgraphile'
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber'

// PostGraphile asks for it, and Node.js has it from 22 on.
Promise.withResolvers ??= () => {
  const deferred = {}
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }))
  return deferred
}

const { DATABASE_URL, KEYS, PORT } = process.env
const CONNECTIONS = 16
const tenants = new Map(Object.entries(JSON.parse(KEYS)))

const preset = {
  extends: [PostGraphileAmberPreset],
  // It would leave out a number's bindings: they are found by the first column of an index, not by an index of both.
  disablePlugins: ['PgIndexBehaviorsPlugin'],
  pgServices: [
    makePgService({
      connectionString: DATABASE_URL,
      schemas: ['public'],
      poolConfig: { max: CONNECTIONS, min: CONNECTIONS, idleTimeoutMillis: 0 },
    }),
  ],
  grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false },
  grafast: {
    explain: false,
    context(request) {
      const key = request.node?.req.headers.authorization?.slice('Bearer '.length)
      const tenant = tenants.get(key)
      if (!tenant) throw new Error('unknown key')
      return {
        pgSettings: {
          role: 'dialplane_tenant',
          'dialplane.tenant_id': tenant,
          'dialplane.actor': `key:${tenant}`,
          'dialplane.address': request.node.req.socket.remoteAddress,
        },
      }
    },
  },
}

const server = createServer()
await postgraphile(preset).createServ(grafserv).addTo(server)
server.listen(Number(PORT), '127.0.0.1')
