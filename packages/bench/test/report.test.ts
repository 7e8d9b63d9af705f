import t from 'tap'
import { figure } from '../src/measure.ts'
import { table } from '../src/report.ts'

t.test('a row shows how many rounds reached the target if not all did', async (t) => {
  const rowOf = (target: { most: number } | { least: number }, values: number[]) =>
    table([figure({ name: 'time', unit: '×', target }, values)])
      .trim()
      .split('\n')
      .at(-1)
  t.equal(rowOf({ most: 1 }, [0.8, 0.9, 0.7]), '| time | 0.80 × | 0.70–0.90 | ≤ 1 | yes |')
  t.equal(rowOf({ most: 1 }, [0.8, 0.9, 1.7]), '| time | 0.90 × | 0.80–1.70 | ≤ 1 | yes (2 of 3) |')
  t.equal(rowOf({ least: 1 }, [0.8, 0.9, 1.7]), '| time | 0.90 × | 0.80–1.70 | ≥ 1 | **no** (1 of 3) |')
  t.equal(rowOf({ least: 1 }, [0.8, 0.9, 0.7]), '| time | 0.80 × | 0.70–0.90 | ≥ 1 | **no** |')
})
