/** A small picture of a moment: a part of a larger one. */
interface Tile {
  url: string
  x: number
  y: number
  width: number
  height: number
}

export interface Tiles {
  /** Where they were read. */
  address: string
  at(second: number): Tile | undefined
}

/** Reads a storyboard, once the browser has read its track. */
export function readTiles(track: TextTrack, address: string): Tiles {
  const cues = Array.from(track.cues ?? []).flatMap((cue) => {
    const [, file = '', place = ''] = ('text' in cue && /^(\S+)#xywh=([\d,]+)$/.exec(String(cue.text).trim())) || []
    const [x = 0, y = 0, width = 0, height = 0] = place.split(',').map(Number)
    const { pathname } = new URL(file, new URL(address, location.href))
    return width > 0 ? [{ from: cue.startTime, until: cue.endTime, tile: { url: pathname, x, y, width, height } }] : []
  })
  return {
    address,
    at: (second) => (cues.find(({ from, until }) => from <= second && second < until) ?? cues.at(-1))?.tile,
  }
}
