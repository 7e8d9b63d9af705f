/** In place of both storages of tus-js-client, because the console gives it one of its own. */
export const canStoreURLs = false
export const WebStorageUrlStorage = undefined
export default class {}
