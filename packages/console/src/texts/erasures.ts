import { words } from './language.ts'

export const texts = words({
  en: {
    none: 'Nothing has been deleted yet.',
    case: (id: number) => `Case ${id}`,
    session: (id: number) => `session ${id}`,
    recording: (id: number) => `recording ${id}`,
    asked: (time: string) => `deleted ${time}`,
    retention: 'because its time was over',
    pending: (time: string) => `The proof comes ${time}.`,
    erased: (time: string) => `All files were removed ${time}.`,
    locked: (time: string) =>
      `The storage is locked and keeps some files at least until ${time}. All others were removed.`,
    save: 'Save the proof',
    saveOf: (what: string) => `Save the proof of ${what}`,
    older: 'Older',
    noOlder: 'There is nothing older.',
  },
  ko: {
    none: '아직 삭제한 것이 없습니다.',
    case: (id) => `사례 ${id}`,
    session: (id) => `회기 ${id}`,
    recording: (id) => `영상 ${id}`,
    asked: (time) => `${time} 삭제`,
    retention: '보관 기간이 지났기 때문입니다',
    pending: (time) => `증명서는 ${time}에 나옵니다.`,
    erased: (time) => `${time}에 모든 파일을 지웠습니다.`,
    locked: (time) => `저장소의 잠금 때문에 일부 파일이 적어도 ${time}까지 남습니다. 나머지는 모두 지웠습니다.`,
    save: '증명서 저장',
    saveOf: (what) => `${what} 증명서 저장`,
    older: '이전',
    noOlder: '더 이전 기록이 없습니다.',
  },
})
