import type { LookupAddress } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** An address to which nothing is sent, because the operator has not named it. The message names no address. */
export class AddressError extends Error {
  override name = 'AddressError'
  constructor() {
    super('the receiver has an internal address that is not in WEBHOOK_INTERNAL_ADDRESSES')
  }
}

/** The receiver's name has no address, or no name server has answered in time. The message names neither. */
export class LookupError extends Error {
  override name = 'LookupError'
  constructor(cause: { code?: string }) {
    super(`the host name of the receiver could not be looked up (${cause.code})`, { cause })
  }
}

/** Says of the text of an address whether it may be connected to. */
export type IsAllowed = (address: string) => boolean

/** Addresses of IPv6 that are given to networks of the internet. */
const [internet, internetBits] = ipaddr.IPv6.parseCIDR('2000::/3')

/** Reads `10.1.2.3` and `10.1.0.0/16`. Throws on other texts. */
const rangeOf = (text: string) => {
  if (text.includes('/')) return ipaddr.parseCIDR(text)
  const address = ipaddr.parse(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128] as const
}

/**
 * Returns which addresses may be connected to: those in one of the named ranges, and those of the internet unless `onlyNamed`.
 * An address of IPv4 that is written as one of IPv6 counts as itself. Throws on a text that is no range.
 */
export function allowedAddresses(named: string[], onlyNamed: boolean): IsAllowed {
  const ranges = named.map(rangeOf)
  return (text) => {
    if (!ipaddr.isValid(text)) return false
    const address = ipaddr.process(text)
    const isNamed = ranges.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits))
    if (isNamed || onlyNamed) return isNamed
    const isInternet = !(address instanceof ipaddr.IPv6) || address.match(internet, internetBits)
    return isInternet && address.range() === 'unicast'
  }
}

/** Whether a host of a URL that is an address itself, for which nothing is looked up, may be connected to. */
export function isAllowedHost(hostname: string, isAllowed: IsAllowed): boolean {
  const host = hostname.replace(/^\[|\]$/g, '')
  return isIP(host) === 0 || isAllowed(host)
}

/** Longest wait for name servers. Some never answer a question for addresses of IPv6. */
const lookupMs = 3_000

/** Addresses that this machine's own file gives to a name, as it does to those of `extra_hosts` in Compose. */
async function addressesInFile(hostname: string): Promise<string[]> {
  const text = await readFile('/etc/hosts', 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    return isIP(address) > 0 && names.some((name) => name.toLowerCase() === hostname) ? [address] : []
  })
}

/**
 * Finds the addresses of a name in DNS. The lookup of the operating system occupies one of four threads, cannot be aborted, and keeps a
 * process from ending while a name server hangs: for 90 s with three attempts of 30 s.
 */
async function addressesInDns(hostname: string, servers: string[] | undefined): Promise<string[]> {
  const resolver = new Resolver()
  if (servers) resolver.setServers(servers)
  const timer = setTimeout(() => resolver.cancel(), lookupMs)
  const lookups = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
  clearTimeout(timer)
  const found = lookups.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
  const [failed] = lookups.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
  if (found.length === 0) throw new LookupError(failed)
  return found
}

/**
 * A lookup for one connection, which finds only addresses that are allowed, by these name servers or those of the system. The
 * socket connects to what it returns, so a name that leads elsewhere the next moment gains nothing.
 */
export const guardedLookup =
  (isAllowed: IsAllowed, servers?: string[]): LookupFunction =>
  (hostname, options, callback) => {
    const find = async (): Promise<LookupAddress[]> => {
      const inFile = await addressesInFile(hostname)
      const found = inFile.length > 0 ? inFile : await addressesInDns(hostname, servers)
      return found.filter(isAllowed).map((address) => ({ address, family: isIP(address) }))
    }
    const pass = (allowed: LookupAddress[]) => {
      const [first] = allowed
      if (!first) callback(new AddressError(), [])
      else if (options.all) callback(null, allowed)
      else callback(null, first.address, first.family)
    }
    find().then(pass, (error: NodeJS.ErrnoException) => callback(error, []))
  }
