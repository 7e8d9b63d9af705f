import { words } from './language.ts'

/** Why a recording failed, and what a therapist can do. */
const texts = words({
  en: {
    unreadable:
      'The file cannot be read as a video: it may be damaged or incomplete. Play it on this device. If that works, export it as MP4 and upload that; if not, copy it from the camera again.',
    no_picture: 'The file has no picture, only sound or nothing at all. Choose the recording that has the picture.',
    too_much:
      'It is larger, or takes more to encode, than the server allows. Export it as an ordinary MP4 with a smaller picture, such as 1920 × 1080, and upload that.',
    too_long: 'It is longer than the server allows. Cut it to the session itself, and upload that.',
    ends_early:
      'The file ends early: a part of the recording is missing in it. Copy it from the camera again, and upload it once more.',
    given_up:
      'The server has tried it several times; the file is not at fault. Ask who operates the server: the original is kept, and another attempt can be made.',
    again: 'Upload the recording again.',
    overtaken: 'A newer recording of this session was uploaded first.',
    other:
      'Upload the recording again, as an MP4 if the file is at fault. If it happens again, ask who operates the server.',
  },
  ko: {
    unreadable:
      '동영상으로 읽을 수 없는 파일입니다. 손상되었거나 일부가 빠졌을 수 있습니다. 이 기기에서 재생해 보세요. 재생되면 MP4로 내보내서 올리고, 재생되지 않으면 카메라에서 다시 복사해 주세요.',
    no_picture: '화면 없이 소리만 있거나 내용이 없는 파일입니다. 화면이 있는 녹화 파일을 선택해 주세요.',
    too_much:
      '크기나 변환에 드는 자원이 서버의 한도를 넘습니다. 1920 × 1080처럼 더 작은 화면의 일반적인 MP4로 내보내서 올려 주세요.',
    too_long: '서버가 받을 수 있는 길이를 넘었습니다. 회기 부분만 잘라서 올려 주세요.',
    ends_early: '파일이 중간에 끝나서 녹화의 일부가 빠져 있습니다. 카메라에서 다시 복사해서 올려 주세요.',
    given_up:
      '서버가 여러 번 시도했지만 변환하지 못했습니다. 파일의 문제는 아닙니다. 서버 운영자에게 문의해 주세요. 원본은 보관되어 있어 다시 시도할 수 있습니다.',
    again: '영상을 다시 올려 주세요.',
    overtaken: '이 회기에 새 영상이 먼저 올라왔습니다.',
    other:
      '영상을 다시 올려 주세요. 파일에 문제가 있으면 MP4로 내보내서 올려 주세요. 또 실패하면 서버 운영자에게 문의해 주세요.',
  },
})

/** The words for each `failure_code` of the services. */
const byCode: Record<string, keyof typeof texts> = {
  unreadable: 'unreadable',
  no_picture: 'no_picture',
  picture_too_large: 'too_much',
  too_large: 'too_much',
  encoded_too_large: 'too_much',
  too_much_memory: 'too_much',
  too_much_work: 'too_much',
  too_long: 'too_long',
  ends_early: 'ends_early',
  given_up: 'given_up',
  not_stored: 'again',
  broken_off: 'again',
  changed: 'again',
  overtaken: 'overtaken',
}

export const failureWords = (code: string | null): string => texts[byCode[code ?? ''] ?? 'other']
