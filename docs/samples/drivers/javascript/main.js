// Runs each line of standard input as a Cypher statement, and stays logged in.
//
// `:begin` and `:commit` put an explicit transaction around statements. Needs NEO4J_URI
// and NEO4J_TOKEN_FILE. Refuses to end for want of a token: it says `retry` and tries
// again.

import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import neo4j from 'neo4j-driver'
import { NoToken, tokenFile } from './tokenFile.js'

const { NEO4J_URI, NEO4J_TOKEN_FILE, NEO4J_TOKEN_REREAD = '60' } = process.env

const driver = neo4j.driver(
  NEO4J_URI,
  tokenFile(NEO4J_TOKEN_FILE, Number(NEO4J_TOKEN_REREAD)),
  // The driver itself tries again for so long; then we are told.
  { maxTransactionRetryTime: 5000 }
)
let session, transaction

function show ({ records }) {
  for (const record of records) {
    console.log('row', ...[...record.values()].map(String))
  }
  console.log('ok')
}

function isPassing (error) {
  return error instanceof NoToken ||
    error.code?.startsWith('Neo.ClientError.Security.') ||
    error.code === neo4j.error.SERVICE_UNAVAILABLE
}

/** Does `work`, again and again while the server does not let us in. */
async function patiently (work) {
  while (true) {
    try {
      return await work()
    } catch (error) {
      // What the roles do not allow is not mended by another login.
      if (!isPassing(error) || error.code?.endsWith('.Forbidden')) throw error
      console.log(`retry: ${error.code ?? error.message}`)
      await setTimeout(1000)
    }
  }
}

async function run (statement) {
  if (statement === ':begin') {
    session = driver.session()
    transaction = await patiently(async () => session.beginTransaction())
    console.log('ok')
  } else if (statement === ':commit') {
    await transaction.commit()
    await session.close()
    session = transaction = undefined
    console.log('ok')
  } else if (transaction) {
    show(await transaction.run(statement))
  } else {
    show(await patiently(() => driver.executeQuery(statement)))
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    await run(line.trim())
  } catch (error) {
    // Of a transaction nothing is left: only its author can begin again.
    await session?.close()
    session = transaction = undefined
    console.log(`failed: ${error.code ?? error.message}`)
  }
}
await driver.close()
