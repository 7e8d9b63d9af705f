const paths = {
  play: 'M8 5v14l11-7z',
  pause: 'M6 5h4v14H6zm8 0h4v14h-4z',
  back: 'M11 6 3 12l8 6zm10 0-8 6 8 6z',
  ahead: 'm13 6 8 6-8 6zM3 6l8 6-8 6z',
  previous: 'M6 6h2v12H6zm12 0v12l-9-6z',
  next: 'M16 6h2v12h-2zM6 6v12l9-6z',
  loud: 'M4 9v6h4l5 4V5L8 9zm11.5-.5a5 5 0 0 1 0 7l-1-1a3.5 3.5 0 0 0 0-5zm2.8-2.8a9 9 0 0 1 0 12.6l-1.1-1.1a7.4 7.4 0 0 0 0-10.4z',
  silent:
    'M4 9v6h4l5 4V5L8 9zm17.5.6-1.1-1.1-2.4 2.4-2.4-2.4-1.1 1.1 2.4 2.4-2.4 2.4 1.1 1.1 2.4-2.4 2.4 2.4 1.1-1.1-2.4-2.4z',
  captions:
    'M4 5h16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zm1.5 8v2h5v-2zm6.5 0v2h6.5v-2zM5.500 9v2H12V9zm8 0v2h5V9z',
  full: 'M5 5h6v2H7v4H5zm8 0h6v6h-2V7h-4zM5 13h2v4h4v2H5zm12 0h2v6h-6v-2h4z',
  small: 'M9 5h2v6H5V9h4zm4 0h2v4h4v2h-6zM5 13h6v6H9v-4H5zm8 0h6v2h-4v4h-2z',
}

/** A picture on a button, which has its name in words. */
export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <path d={paths[name]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  )
}
