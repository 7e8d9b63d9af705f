import { signal } from '@preact/signals'

/**
 * What would be lost if somebody signed out now. The views that hold it tell it here, as they are parts of their own: before one of them is
 * loaded there is nothing of its kind.
 */
export const unfinished = {
  /** Counts the changes of scripts that the therapist who is signed in has not saved yet, or has to decide on. */
  countChanges: signal((): number => 0),
  /** Whether an upload is under way, also one that waits. */
  isUploading: signal(false),
}
