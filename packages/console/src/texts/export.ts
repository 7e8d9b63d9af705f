import { words } from './language.ts'

export const texts = words({
  en: {
    withMedia: 'With recordings',
    mediaHint: 'The file can then have many gigabytes.',
    pseudonyms: 'With codes in place of names',
    pseudonymsHint: 'The names of this case are replaced in the texts of the file. What recordings show and say stays.',
    start: 'Make the file',
    anew: 'Make a new file',
    replaces: 'A new file takes the place of this one.',
    state: 'State of the file',
    waits: 'It waits until a worker is free.',
    isMade: 'It is being made.',
    goesOn: 'It goes on when you leave this page.',
    ready: (size: string, until: string) => `It is ready, ${size}, and is kept until ${until}.`,
    lacks: (count: number) =>
      `${count === 1 ? 'One file is' : `${count} files are`} not in it, because the storage has lost or damaged ${count === 1 ? 'it' : 'them'}. The list “manifest.json” in it has the names.`,
    madeOf: (isWithMedia: boolean, isCoded: boolean) =>
      `${isWithMedia ? 'With' : 'Without'} recordings, with ${isCoded ? 'codes in place of' : 'all'} names.`,
    download: 'Download',
    failed: 'The file could not be made. You can try again.',
    smaller: 'Without recordings it is much smaller.',
    serverSays: 'The server says:',
    expired: 'The last file is not there any more: its time was over, or a part of the case was deleted.',
    tooMany: 'Two of your files are being made, or you have asked too often. Try again when one of them is ready.',
  },
  ko: {
    withMedia: '영상 포함',
    mediaHint: '파일이 수 기가바이트까지 커질 수 있습니다.',
    pseudonyms: '이름을 기호로 바꾸기',
    pseudonymsHint: '파일 속 글에 나오는 이 사례의 이름을 기호로 바꿉니다. 영상에 보이고 들리는 것은 그대로입니다.',
    start: '파일 만들기',
    anew: '새 파일 만들기',
    replaces: '새 파일을 만들면 지금 파일은 없어집니다.',
    state: '파일 상태',
    waits: '차례를 기다리고 있습니다.',
    isMade: '파일을 만들고 있습니다.',
    goesOn: '이 페이지를 떠나도 계속됩니다.',
    ready: (size, until) => `파일이 준비되었습니다(${size}). ${until}까지 보관합니다.`,
    lacks: (count) =>
      `저장소에서 없어졌거나 손상되어 파일 ${count}개가 빠졌습니다. 이름은 파일 안의 목록 “manifest.json”에 있습니다.`,
    madeOf: (isWithMedia, isCoded) =>
      `영상 ${isWithMedia ? '포함' : '제외'}, 이름 ${isCoded ? '기호로 바꿈' : '그대로'}`,
    download: '내려받기',
    failed: '파일을 만들지 못했습니다. 다시 시도할 수 있습니다.',
    smaller: '영상을 빼면 파일이 훨씬 작아집니다.',
    serverSays: '서버의 설명:',
    expired: '지난번 파일은 이제 없습니다. 보관 기간이 지났거나 사례의 일부가 삭제되었습니다.',
    tooMany: '파일 두 개를 이미 만들고 있거나 요청이 너무 많았습니다. 하나가 끝난 뒤에 다시 시도해 주세요.',
  },
})
