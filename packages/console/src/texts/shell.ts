import { words } from './language.ts'

export const texts = words({
  en: {
    name: 'PlayTherapy',
    where: 'Where you are',
    skip: 'Skip to the content',
    operations: 'Operations',
    signOut: 'Sign out',
    signOutTitle: 'Sign out now?',
    losesChanges: (count: number) =>
      `${count === 1 ? 'One change of scripts is' : `${count} changes of scripts are`} not saved yet, and will be lost.`,
    stopsUpload:
      'An upload is under way, and will stop. Choose the same file again after the next sign-in, and it goes on where it was.',
    stay: 'Stay signed in',
    signOutAnyway: 'Sign out anyway',
    outdated:
      'There is a newer version of this page, and a part of this one cannot be loaded any more. Load the page anew when everything is saved, and sign in again.',
    incomplete:
      'A part of this page could not be loaded. Load the page anew when everything is saved, and sign in again.',
    missing: 'This view could not be loaded.',
    loadAnew: 'Load the page anew',
    offline:
      'This device is offline. What you see may be old; what you typed is kept, and can be saved when it is back.',
    lost: 'The connection to the server is lost. The page tries again by itself; what you typed is kept.',
    ended: 'Sign in again',
    expired: 'Your token has expired. The page and what you typed are still here: sign in with a new token to go on.',
    refused: 'The server does not accept this token. Copy the whole token, or ask for a new one.',
    signIn: 'Sign in',
    token: 'Token',
    tokenHint:
      'A token is a long text with two dots in it. It says who you are, and is valid for some hours. Keep it as secret as a password.',
    whereFrom:
      'On a machine where “npm start” runs, open the link that it prints. In a clinic, whoever runs the server gives you a token.',
    notAToken: 'This is not a whole token: it has three parts with dots between them, and no spaces.',
    kept: 'The token is kept in this tab alone, and is forgotten when the tab is closed or loaded anew.',
    notices: 'Licences of the libraries in this page',
    about: 'Recordings, scripts and reports of play therapy.',
  },
  ko: {
    name: '놀이치료',
    where: '현재 위치',
    skip: '본문으로 건너뛰기',
    operations: '운영',
    signOut: '로그아웃',
    signOutTitle: '지금 로그아웃할까요?',
    losesChanges: (count) => `축어록에서 고친 내용 ${count}건이 아직 저장되지 않았으며, 로그아웃하면 사라집니다.`,
    stopsUpload:
      '업로드가 진행 중이며, 로그아웃하면 멈춥니다. 다음에 로그인해서 같은 파일을 다시 선택하면 이어서 올립니다.',
    stay: '로그인 유지',
    signOutAnyway: '그래도 로그아웃',
    outdated:
      '이 페이지의 새 버전이 있어서, 지금 페이지의 일부를 더 이상 불러올 수 없습니다. 모두 저장된 뒤에 페이지를 새로 열고 다시 로그인해 주세요.',
    incomplete: '페이지의 일부를 불러오지 못했습니다. 모두 저장된 뒤에 페이지를 새로 열고 다시 로그인해 주세요.',
    missing: '이 화면을 불러오지 못했습니다.',
    loadAnew: '페이지 새로 열기',
    offline:
      '기기가 오프라인입니다. 화면의 내용이 오래되었을 수 있습니다. 입력하신 내용은 그대로 있으며, 다시 연결되면 저장할 수 있습니다.',
    lost: '서버와 연결이 끊어졌습니다. 자동으로 다시 연결합니다. 입력하신 내용은 그대로 있습니다.',
    ended: '다시 로그인',
    expired:
      '토큰이 만료되었습니다. 화면과 입력하신 내용은 그대로 있습니다. 새 토큰으로 로그인하면 이어서 할 수 있습니다.',
    refused: '서버가 이 토큰을 받아들이지 않습니다. 토큰 전체를 복사했는지 확인하거나 새 토큰을 받아 주세요.',
    signIn: '로그인',
    token: '토큰',
    tokenHint:
      '토큰은 점이 두 개 들어 있는 긴 글자입니다. 사용자가 누구인지 알려 주며 몇 시간 동안 쓸 수 있습니다. 비밀번호처럼 다뤄 주세요.',
    whereFrom: '“npm start”를 실행한 컴퓨터에서는 출력된 링크를 여세요. 기관에서는 서버 관리자에게 토큰을 받으세요.',
    notAToken: '온전한 토큰이 아닙니다. 토큰은 점으로 나뉜 세 부분이며 빈칸이 없습니다.',
    kept: '토큰은 이 탭에만 보관되며, 탭을 닫거나 새로 열면 사라집니다.',
    notices: '이 페이지에 쓰인 라이브러리의 라이선스',
    about: '놀이치료 영상, 축어록, 보고서',
  },
})
