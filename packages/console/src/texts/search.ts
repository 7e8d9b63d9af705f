import { words } from './language.ts'

export const texts = words({
  en: {
    search: 'Search in what was said',
    keyword: 'Words',
    hint: 'Words or a part of one, in the newest script of each session',
    find: 'Search',
    searching: 'Searching …',
    found: (skipped: number, count: number, more: boolean) => {
      if (count === 0) return skipped === 0 ? 'Nobody said this in a session of this case.' : 'There is nothing more.'
      return more || skipped > 0
        ? `Places ${skipped + 1} to ${skipped + count}${more ? ', and there are more' : ''}`
        : `${count} ${count === 1 ? 'place' : 'places'}`
    },
    unread: (count: number) =>
      count === 1
        ? 'The newest script of one session could not be searched:'
        : `The newest scripts of ${count} sessions could not be searched:`,
    session: (id: number) => `Session ${id}`,
    previous: 'Previous places',
    next: 'Further places',
  },
  ko: {
    search: '축어록 검색',
    keyword: '검색어',
    hint: '각 회기의 최신 축어록에서 낱말이나 그 일부를 찾습니다',
    find: '검색',
    searching: '검색 중 …',
    found: (skipped, count, more) => {
      if (count === 0) return skipped === 0 ? '이 사례의 회기에서 이 말을 찾지 못했습니다.' : '더 이상 없습니다.'
      return more || skipped > 0
        ? `${skipped + 1}–${skipped + count}번째${more ? ', 더 있음' : ''}`
        : `${count}곳에서 찾았습니다`
    },
    unread: (count) => `회기 ${count}개의 최신 축어록은 검색하지 못했습니다:`,
    session: (id) => `회기 ${id}`,
    previous: '앞의 결과',
    next: '다음 결과',
  },
})
