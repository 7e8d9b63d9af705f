// The clients of tus that the page of the uploader tests loads. Their types bring those of a browser, so this is no TypeScript.
export { Uppy } from '@uppy/core'
export { default as UppyTus } from '@uppy/tus'
export { Upload } from 'tus-js-client'
