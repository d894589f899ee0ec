// A webhook as one writes it with Express: the form parsed, the signature verified, one query, one document.
const crypto = require('node:crypto')
const express = require('express')
const { Pool } = require('pg')

const { AUTH_TOKEN, DATABASE_URL, PORT, PUBLIC_URL } = process.env
const CONNECTIONS = 16
const pool = new Pool({ connectionString: DATABASE_URL, max: CONNECTIONS, min: CONNECTIONS, idleTimeoutMillis: 0 })
const app = express()
app.disable('x-powered-by')
app.use(express.urlencoded({ extended: false }))

// Source: https://www.twilio.com/docs/usage/security
function signed(request) {
  const form = request.body
  const text = Object.keys(form).sort().reduce((text, name) => text + name + form[name], PUBLIC_URL + request.originalUrl)
  const expected = crypto.createHmac('sha1', AUTH_TOKEN).update(text).digest()
  const sent = Buffer.from(request.get('x-twilio-signature') ?? '', 'base64')
  return sent.length === expected.length && crypto.timingSafeEqual(sent, expected)
}

app.post('/webhooks/twilio/voice/:account', async (request, response) => {
  if (!signed(request)) return response.sendStatus(403)
  const { CallSid, From, To } = request.body
  const query = { name: 'stream', text: 'select stream_url from numbers where number = $1', values: [To] }
  const { rows } = await pool.query(query)
  if (rows.length === 0) return response.sendStatus(404)
  response.type('text/xml').send(
    `<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="${rows[0].stream_url}">` +
    `<Parameter name="call_id" value="${CallSid}"/><Parameter name="from" value="${From}"/>` +
    `<Parameter name="to" value="${To}"/></Stream></Connect></Response>`)
})

// All connections are there before the first request, so that their backends can be told.
async function start() {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()))
  clients.forEach((client) => client.release())
  app.listen(Number(PORT), '127.0.0.1')
}
start()
