/** In place of `js-base64`, of which tus-js-client needs one function, and which brings its own for browsers without TextEncoder. */
export const Base64 = {
  encode: (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text))),
}
