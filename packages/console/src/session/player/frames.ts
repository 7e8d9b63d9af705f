/** Seconds of a frame as long as none was measured: recordings are encoded with at most 30 frames a second. */
const usualFrame = 1 / 30
/** What lies further apart was not two frames in a row. */
const longestFrame = 1 / 4

/** Follows the frames that a video shows. Returns a function that shows the next or the previous one. */
export function followFrames(video: HTMLVideoElement): { step(direction: 1 | -1): number; stop(): void } {
  let shownAt = 0
  let frame = longestFrame
  let callback = 0
  function look(_now: number, { mediaTime }: VideoFrameCallbackMetadata) {
    const gap = mediaTime - shownAt
    if (!video.paused && gap > 0.001) frame = Math.min(frame, gap)
    shownAt = mediaTime
    callback = video.requestVideoFrameCallback(look)
  }
  const canFollow = 'requestVideoFrameCallback' in video
  if (canFollow) callback = video.requestVideoFrameCallback(look)
  return {
    /** Returns the second in the middle of the frame that is to be shown. */
    step(direction) {
      const length = frame < longestFrame ? frame : usualFrame
      const { currentTime } = video
      // What is shown may have lasted longer than a frame, where the frames of a recording are not equally long.
      const isKnown = canFollow && Math.abs(currentTime - shownAt) < 1
      if (!isKnown) return currentTime + direction * length
      return direction > 0 ? Math.max(shownAt + 1.5 * length, currentTime + length) : shownAt - length / 2
    },
    stop: () => canFollow && video.cancelVideoFrameCallback(callback),
  }
}
