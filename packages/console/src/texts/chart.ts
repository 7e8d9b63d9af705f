import { words } from './language.ts'

export const texts = words({
  en: { missing: 'The picture could not be loaded. The numbers are in the table.' },
  ko: { missing: '그림을 불러오지 못했습니다. 수치는 표에 있습니다.' },
})
