import { int32 } from '@playtherapy/service-kit'
import { Type } from 'typebox'

const momentOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { description })

export const ExportBody = Type.Object(
  {
    without_media: Type.Optional(Type.Boolean({ default: false, description: 'Leaves out originals and renditions' })),
    pseudonyms: Type.Optional(
      Type.Boolean({ default: false, description: 'Replaces the names of the case by codes, in the file only' }),
    ),
  },
  { title: 'ExportOptions', examples: [{ without_media: false, pseudonyms: false }] },
)

export const CaseExport = Type.Object(
  {
    id: Type.Integer(int32),
    state_id: Type.Integer({ ...int32, description: '1 waits, 2 is being made, 3 can be downloaded, 4 failed' }),
    progress: Type.Integer({ description: 'Percent' }),
    without_media: Type.Boolean(),
    pseudonyms: Type.Boolean(),
    size: Type.Union([Type.Integer({ format: 'int64' }), Type.Null()], { description: 'Bytes of the file' }),
    missing: Type.Integer({
      description:
        'How many files are not in it because the object store had lost or damaged them; `manifest.json` names them',
    }),
    failure: Type.Union([Type.String(), Type.Null()], { description: 'Why it failed' }),
    created_at: Type.String({ format: 'date-time' }),
    finished_at: momentOrNull('When it was made, or had failed'),
    expires_at: momentOrNull('When it is removed'),
  },
  {
    title: 'CaseExport',
    examples: [
      {
        id: 5,
        state_id: 3,
        progress: 100,
        without_media: false,
        pseudonyms: false,
        size: 1_204_331_020,
        missing: 0,
        failure: null,
        created_at: '2026-11-27T09:00:00.000Z',
        finished_at: '2026-11-27T09:01:12.480Z',
        expires_at: '2026-12-04T09:01:12.480Z',
      },
    ],
  },
)

export const ExportLink = Type.Object(
  {
    path: Type.String({ description: 'A path on this origin that opens the file without a header' }),
    expires_at: Type.String({ format: 'date-time', description: 'When this link ends' }),
  },
  {
    title: 'ExportLink',
    examples: [
      {
        path: '/contents/api/playback/and6NzoxMjowOjU6ZXhwb3J0OjE3OTU3MTk2MDA.Zk7l…/export.zip',
        expires_at: '2026-11-27T15:00:00.000Z',
      },
    ],
  },
)
