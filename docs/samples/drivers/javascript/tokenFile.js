// Logs a driver in with the token that the operator keeps in a mounted file.
//
// Needs the path of the file, below a volume that is mounted as a folder. Refuses to
// hand over a token that has expired: whoever asked is told, and asks again later.

import { readFile } from 'node:fs/promises'
import neo4j from 'neo4j-driver'

/** There is no token to log in with, for the moment. */
export class NoToken extends Error {}

/** An auth token manager that reads `path` anew after `reread` seconds, or at the expiry. */
export function tokenFile (path, reread = 60) {
  let last

  async function tokenProvider () {
    const token = await read(path)
    const expires = expiry(token)
    if (expires * 1000 <= Date.now()) {
      throw new NoToken(`the token in ${path} has expired`)
    }
    if (expires !== last) {
      console.log(`token expires=${expires}`)
      last = expires
    }
    return {
      token: neo4j.auth.bearer(token),
      // Sooner than it has to be: so new groups count within a minute, and so does a new
      // token after a refused one, which the driver keeps until this date.
      expiration: new Date(Math.min(expires * 1000, Date.now() + reread * 1000))
    }
  }

  return neo4j.authTokenManagers.bearer({ tokenProvider })
}

async function read (path) {
  try {
    // Opened anew each time: the kubelet puts another file in its place.
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new NoToken(`${path}: ${error.code}`)
  }
}

/** The claim `exp`; Neo4j checks the signature, not this. */
function expiry (token) {
  let claims
  try {
    claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
  } catch {
    // Without the cause, which would show a part of the token.
  }
  if (!Number.isFinite(claims?.exp)) {
    throw new NoToken('the token is not a JWT with an expiry')
  }
  return claims.exp
}
