import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** An address to which nothing is sent, because the operator has not named it. The message names no address. */
export class AddressError extends Error {
  override name = 'AddressError'
  constructor() {
    super('the receiver has an internal address that is not in WEBHOOK_INTERNAL_ADDRESSES')
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

/** Lookups that are under way. Each occupies a thread, of which the process has few, and cannot be aborted. */
const underWay = new Map<string, Promise<LookupAddress[]>>()

/** Finds the addresses of a name. Calls while a lookup of it is under way share that one. */
function find(hostname: string): Promise<LookupAddress[]> {
  const finding = underWay.get(hostname) ?? lookup(hostname, { all: true }).finally(() => underWay.delete(hostname))
  underWay.set(hostname, finding)
  return finding
}

/**
 * A lookup for one connection, which finds only addresses that are allowed. The socket connects to what it returns, so a name that
 * leads elsewhere the next moment gains nothing.
 */
export const guardedLookup =
  (isAllowed: IsAllowed): LookupFunction =>
  (hostname, options, callback) => {
    const pass = (found: LookupAddress[]) => {
      const allowed = found.filter(({ address }) => isAllowed(address))
      const [first] = allowed
      if (!first) callback(new AddressError(), [])
      else if (options.all) callback(null, allowed)
      else callback(null, first.address, first.family)
    }
    find(hostname).then(pass, (error: NodeJS.ErrnoException) => callback(error, []))
  }
