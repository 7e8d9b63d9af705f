import { auditName, caseName, crateName, manifestName, pseudonymsName } from './format.ts'

interface About {
  caseId: number
  madeAt: string
  withoutMedia: boolean
  pseudonyms: boolean
}

/** What a person reads first who opens an export, in Korean and in English. */
export function readmeOf({ caseId, madeAt, withoutMedia, pseudonyms }: About): string {
  const lines = [
    `사례 ${caseId}의 내보내기, ${madeAt}`,
    '',
    '이 파일에는 이 사례에 대해 저장된 모든 것이 들어 있습니다. 영상과 축어록에서 자동으로 만들어진 사본(스트리밍, 정지 화면, 소리,',
    '검색용)과 아직 끝나지 않은 업로드는 들어 있지 않습니다.',
    `- ${caseName}: 사례의 정보`,
    '- sessions/: 회기마다 정보(session.json), 영상(recordings), 축어록의 모든 버전(scripts), 분석 보고서(reports)',
    `- ${auditName}: 누가 언제 무엇을 보았거나 바꾸었는지의 기록`,
    `- ${manifestName}: 모든 파일의 크기와 SHA-256 값. missing에는 저장소에서 없어졌거나 손상되어 들어 있지 않은 파일이 적혀 있습니다`,
    `- ${crateName}: 같은 내용을 설명하는 RO-Crate 메타데이터`,
    ...(withoutMedia ? ['요청에 따라 영상은 들어 있지 않습니다.'] : []),
    ...(pseudonyms
      ? [`요청에 따라 사례의 이름을 기호로 바꾸었습니다(${pseudonymsName} 참고). 영상 속의 이름은 바뀌지 않습니다.`]
      : []),
    '다른 설치로 옮기려면: npm run import-case -- FILE --therapist N',
    '아동의 개인정보입니다. 안전한 곳에 보관하고 필요 없으면 삭제하십시오.',
    '',
    `Export of case ${caseId}, ${madeAt}`,
    '',
    'This file has all that is stored of this case, but for copies that were made of its recordings and scripts (for streaming, still',
    'pictures, sound, the search), and uploads that have not ended.',
    `- ${caseName}: the case itself`,
    '- sessions/: of each session its description (session.json), recordings, all versions of the script (scripts), and reports',
    `- ${auditName}: who saw or changed what, and when`,
    `- ${manifestName}: size and SHA-256 of every file; "missing" names files that the object store had lost or damaged`,
    `- ${crateName}: the same, described as an RO-Crate`,
    ...(withoutMedia ? ['As asked for, recordings are not in it.'] : []),
    ...(pseudonyms
      ? [
          `As asked for, the names of the case are replaced by codes (see ${pseudonymsName}). Names in recordings are not.`,
        ]
      : []),
    'To bring it into another installation: npm run import-case -- FILE --therapist N',
    'This is personal data of a child. Keep it in a safe place, and delete it when it is no longer needed.',
    '',
  ]
  return lines.join('\n')
}
