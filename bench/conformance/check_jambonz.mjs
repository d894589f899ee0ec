// Verbs against what jambonz itself checks them with (npm: @jambonz/verb-specifications).
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const require = createRequire(resolve(process.argv[2], 'node_modules', 'any.js'));
const specifications = require('@jambonz/verb-specifications');
const logger = { info() {}, debug() {}, error() {} };

const lines = readFileSync(0, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const documents = lines.filter((document) => document.provider === 'jambonz');
let refused = 0;
for (const { action, case: about, body } of documents) {
  let [verdict, detail] = ['ok', ''];
  try {
    if (body) specifications.validate(logger, JSON.parse(body));
    else verdict = 'passed over';
  } catch (error) {
    refused += 1;
    [verdict, detail] = ['refused', `${about}: ${error.message}`];
  }
  console.log([action, verdict, detail.replace(/\s+/g, ' ').slice(0, 400)].join('\t'));
}
process.exit(refused || !documents.length ? 1 : 0);
