import { words } from './language.ts'

/** The word for a code, or the code itself where a newer service has one that this page does not know. */
const wordOf = (known: Record<string, string>) => (code: string) => known[code] ?? code

const english = {
  actor: wordOf({
    therapist: 'Therapist',
    analysis: 'Analysis system',
    operator: 'Operator',
    worker: 'Worker',
    service: 'Service',
    command: 'Command of an operator',
  }),
  kind: wordOf({
    case: 'Case',
    session: 'Session',
    video: 'Recording',
    preview: 'Still picture',
    upload: 'State of the recording',
    script: 'Script',
    report: 'Report',
    export: 'Export of everything',
    audit: 'This list',
  }),
}

const korean = {
  actor: wordOf({
    therapist: '치료사',
    analysis: '분석 시스템',
    operator: '운영자',
    worker: '작업 프로세스',
    service: '서비스',
    command: '운영자 명령',
  }),
  kind: wordOf({
    case: '사례',
    session: '회기',
    video: '영상',
    preview: '정지 화면',
    upload: '영상 상태',
    script: '축어록',
    report: '보고서',
    export: '전체 내보내기',
    audit: '이 목록',
  }),
}

const joined = (...parts: (string | number | false | null)[]) =>
  parts.filter((part) => part !== null && part !== false).join(' ')

export const texts = words({
  en: {
    when: 'When',
    who: 'Who',
    did: 'Did',
    what: 'What',
    address: 'Address',
    you: 'You',
    newest: 'Newest',
    older: 'Older',
    range: (first: string, last: string) => `From ${first} back to ${last}`,
    noOlder: 'There is nothing older.',
    actor: (actor: string, userId: number | null) => joined(english.actor(actor), userId),
    action: wordOf({
      create: 'created',
      read: 'saw',
      update: 'changed',
      delete: 'deleted',
      export: 'exported',
      link: 'got links',
      refused: 'was refused',
    }),
    foundNothing: 'found nothing',
    thing: (kind: string, sessionId: number | null, version: number | null) =>
      joined(english.kind(kind), version, sessionId !== null && `(session ${sessionId})`),
  },
  ko: {
    when: '언제',
    who: '누가',
    did: '행위',
    what: '무엇을',
    address: '주소',
    you: '나',
    newest: '최신 기록',
    older: '이전 기록',
    range: (first, last) => `${first}부터 ${last}까지, 최신순`,
    noOlder: '더 이전 기록이 없습니다.',
    actor: (actor, userId) => joined(korean.actor(actor), userId),
    action: wordOf({
      create: '만듦',
      read: '열람',
      update: '변경',
      delete: '삭제',
      export: '내보냄',
      link: '링크 발급',
      refused: '거부됨',
    }),
    foundNothing: '찾은 것 없음',
    thing: (kind, sessionId, version) =>
      joined(korean.kind(kind), version, sessionId !== null && `(회기 ${sessionId})`),
  },
})
