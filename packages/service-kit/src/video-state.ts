import { Type } from 'typebox'

export const videoStateExample = {
  state: 'encoding',
  progress: 42,
  playable: true,
  seconds_ready: 1258,
  seconds_left: 870,
  failure: null,
  failure_code: null,
  file_name: 'session 1.mp4',
  size: 73_400_320,
  received: 73_400_320,
}

/** The state of the newest recording of a session, as clients get it. */
export const VideoState = Type.Object(
  {
    state: Type.Union(
      (['receiving', 'stored', 'encoding', 'encoded', 'failed', 'superseded'] as const).map((state) =>
        Type.Literal(state),
      ),
      {
        description:
          'receiving: the upload is running · stored: durable, waiting to be encoded · encoding · encoded: ready to play · failed: the encode, or for an hour the upload · superseded: replaced by a newer recording',
      },
    ),
    progress: Type.Integer({ minimum: 0, maximum: 100, description: 'Percent of the encode' }),
    playable: Type.Boolean({
      description:
        'Whether links play it: by HLS from its first encoded seconds on, also where its encode failed after them and the session has no encoded recording',
    }),
    seconds_ready: Type.Number({ description: 'It can be played from its beginning to this second' }),
    seconds_left: Type.Union([Type.Number(), Type.Null()], {
      description: 'How long its encode will still take, from its pace so far; null as long as nobody knows',
    }),
    failure: Type.Union([Type.String(), Type.Null()], {
      description: 'Why the upload or the encode failed, for people to read',
    }),
    failure_code: Type.Union([Type.String(), Type.Null()], {
      description:
        'Why, for programs: unreadable · no_picture · picture_too_large · ends_early · too_long · too_large · encoded_too_large · too_much_memory · too_much_work · changed · given_up · not_stored · broken_off · overtaken · other. More may follow',
    }),
    file_name: Type.Union([Type.String(), Type.Null()], { description: 'The client’s name for the file' }),
    size: Type.Union([Type.Integer(), Type.Null()], { description: 'Bytes of the original, once it is durable' }),
    received: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Bytes of the original that have arrived, written every second',
    }),
  },
  {
    title: 'VideoState',
    examples: [videoStateExample],
  },
)
