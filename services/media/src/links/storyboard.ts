import { captionTime, type Storyboard } from '@playtherapy/schema'

/** Writes a storyboard as players read it: a cue for each tile, whose text is its place in `storyboard.jpg` beside it. */
export function toVtt({ columns, width, height, seconds, tiles }: Storyboard): string {
  const time = (index: number) => captionTime(Math.round(index * seconds * 1000), '.')
  const cues = Array.from({ length: tiles }, (_, index) => {
    const [x, y] = [(index % columns) * width, Math.floor(index / columns) * height]
    return `\n${time(index)} --> ${time(index + 1)}\nstoryboard.jpg#xywh=${x},${y},${width},${height}\n`
  })
  return `WEBVTT\n${cues.join('')}`
}
