/**
 * A bar chart as SVG: the share of each aim that is reached, and the spread of the runs. It has
 * light and dark colours.
 */

export type Bar = {
  readonly label: string
  /** The baseline, in small text below the label. */
  readonly against: string
  /** Share of the aim that is reached: 1 is all of it. */
  readonly aimShare: number
  readonly spread: readonly [number, number]
  /** Text beside the bar. */
  readonly figure: string
}

const width = 920
const left = 400
const right = 170
const top = 44
const rowHeight = 44
/**
 * The longest bar, as a share of the aim. Longer ones are cut, because one would make the others
 * tiny.
 */
const scaleMax = 2.5

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .small { font-size: 11px; fill: #59636e }
  .met { fill: #1a7f5a }
  .missed { fill: #c9772b }
  .spread { stroke: #1f2328; stroke-width: 1.5 }
  .grid { stroke: #d1d9e0 }
  .aim { stroke: #1f2328; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .spread, .aim { stroke: #f0f6fc }
  }
`

export function chartOf(title: string, bars: readonly Bar[]): string {
  const shownMax = Math.max(...bars.flatMap(({ aimShare, spread }) => [aimShare, spread[1]]))
  const max = Math.min(scaleMax, Math.max(1.25, Math.ceil(shownMax * 4) / 4))
  const x = (share: number) => left + (Math.min(share, max) / max) * (width - left - right)
  const height = top + bars.length * rowHeight + 8
  const bottom = height - 8
  const gridLines = Array.from({ length: Math.floor(max / 0.5) + 1 }, (_, n) => n * 0.5)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${style}</style>`,
    `<text x="8" y="22" font-weight="600">${escaped(title)}</text>`,
    ...gridLines.map(
      (share) =>
        `<line class="${share === 1 ? 'aim' : 'grid'}" x1="${at(x(share))}" x2="${at(x(share))}" y1="${top - 4}" y2="${bottom}"/>` +
        `<text class="small" x="${at(x(share))}" y="${top - 10}" text-anchor="middle">${share === 1 ? 'the aim' : `${share * 100}%`}</text>`,
    ),
    ...bars.map((bar, n) => barOf(bar, top + n * rowHeight, x)),
    '</svg>',
    '',
  ].join('\n')
}

function barOf({ label, against, aimShare, spread, figure }: Bar, y: number, x: Scale): string {
  const kind = aimShare >= 1 ? 'met' : 'missed'
  const middle = y + 18
  const [low, high] = [x(spread[0]), x(spread[1])]
  return [
    `<text x="${left - 12}" y="${y + 16}" text-anchor="end">${escaped(label)}</text>`,
    `<text class="small" x="${left - 12}" y="${y + 31}" text-anchor="end">${escaped(against)}</text>`,
    `<rect class="${kind}" x="${left}" y="${y + 8}" width="${at(x(aimShare) - left)}" height="20" rx="2"/>`,
    `<line class="spread" x1="${at(low)}" x2="${at(high)}" y1="${middle}" y2="${middle}"/>`,
    ...[low, high].map(
      (edge) =>
        `<line class="spread" x1="${at(edge)}" x2="${at(edge)}" y1="${middle - 4}" y2="${middle + 4}"/>`,
    ),
    `<text x="${width - right + 12}" y="${middle + 4}">${escaped(figure)}</text>`,
  ].join('')
}

type Scale = (share: number) => number

const at = (position: number): string => String(Math.round(position * 10) / 10)

const escaped = (text: string): string =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;')
