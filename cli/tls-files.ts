/** Certificates, from the files that options name. */
import { readFile } from 'node:fs/promises'
import { HeddleError } from '../protocol/errors.js'

/** They go to another process in one variable of its environment, which the system bounds. */
const MAX_PEM_CHARACTERS = 32 * 1024

export interface TlsArguments {
  readonly tlsCa?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
}

/** What is in files, as text: it goes to another process as JSON. */
export interface TlsTexts {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/**
 * `undefined` when none is given.
 *
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when one cannot be read.
 */
export async function readTls({ tlsCa, tlsCert, tlsKey }: TlsArguments): Promise<TlsTexts | undefined> {
  if (tlsCa === undefined && tlsCert === undefined && tlsKey === undefined) return undefined
  const [ca, cert, key] = await Promise.all([
    readPem('--tls-ca', tlsCa),
    readPem('--tls-cert', tlsCert),
    readPem('--tls-key', tlsKey),
  ])
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) }
}

async function readPem(option: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  const pem = await readText(option, file)
  if (pem.length <= MAX_PEM_CHARACTERS) return pem
  const message = `The file ${file} of ${option} is too large; give only the certificate or key that is needed.`
  throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}

async function readText(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const message = `The file ${file} of ${option} cannot be read; check its name and who may read it.`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message, { cause })
  }
}
