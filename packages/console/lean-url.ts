/** In place of `url-parse`, which tus-js-client uses for browsers of before 2017. */
export default URL
