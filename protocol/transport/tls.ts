/** Encryption and certificates: what either end of a connection is told of them, checked. */
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { HeddleError } from '../errors.js'

/** Certificates, as the text or the bytes of PEM files. */
export interface TlsOptions {
  /** Who is believed: the certificate that signed those of the other side. Default: the public ones that Node knows. */
  readonly ca?: string | Buffer | undefined
  /** What this side shows. */
  readonly cert?: string | Buffer | undefined
  /** The private key of `cert`. */
  readonly key?: string | Buffer | undefined
}

/**
 * @param where - Whose options they are, for people: `connect()`.
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when they are no certificates, or don't fit each other.
 */
export function checkTls(where: string, given: TlsOptions): void {
  for (const [name, value] of Object.entries(given) as [string, unknown][]) {
    if (name !== 'ca' && name !== 'cert' && name !== 'key') {
      throw invalid(`The option tls of ${where} has no "${name}"; it has ca, cert and key.`)
    }
    if (value === undefined) continue
    const isText = typeof value === 'string' || value instanceof Uint8Array
    if (!isText || !/-----BEGIN [A-Z ]+-----/.test(Buffer.from(value as string).toString('latin1'))) {
      throw invalid(
        `tls.${name} of ${where} is no PEM; give what is in the file, which has a line "-----BEGIN …-----".`,
      )
    }
  }
  if ((given.cert === undefined) !== (given.key === undefined)) {
    throw invalid(`The option tls of ${where} has one of cert and key; they go together.`)
  }
  try {
    createSecureContext(given as SecureContextOptions)
  } catch (cause) {
    const reason = (cause as Error).message.replace(/^error:[^:]*:[^:]*:[^:]*:/, '')
    throw invalid(`The certificate or the key of ${where} can't be used (${reason}); check that they belong together.`)
  }
}

/** Codes of Node and of OpenSSL: the certificate of the other side is none that we believe. */
const DISTRUST: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** What is wrong with the certificates, if that is why a connection to `address` failed: one sentence. */
export function certificateTrouble(address: string, error: Error & { readonly code?: unknown }): string | undefined {
  const code = String(error.code)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `The certificate of ${address} is for other names; connect by one that it has, or make one that has this name.`
  }
  if (DISTRUST.has(code)) {
    return `The certificate of ${address} is not trusted (${error.message}); give the one that signed it, as tls.ca or --tls-ca.`
  }
  if (/ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_(EXPIRED|REVOKED|UNKNOWN))/.test(code)) {
    return `${address} wants a certificate that it trusts; give yours, as tls.cert and tls.key or --tls-cert and --tls-key.`
  }
  return undefined
}

function invalid(message: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}
