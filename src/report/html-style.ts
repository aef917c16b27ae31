/** The style sheet of a report: one column, a text face, thin rules; light, dark, narrow and on paper. */
export const reportStyle = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1f2328; --muted: #646b75; --rule: #d9dbd6; --wash: #f4f4f1; --accent: #0072b2;
  --text: Charter, 'Bitstream Charter', 'Sitka Text', Cambria, 'DejaVu Serif', serif;
  --sans: system-ui, sans-serif;
  --mono: ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181b; --ink: #e3e4e1; --muted: #9aa0a8; --rule: #34383d; --wash: #1f2226; --accent: #6cb6e8; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.58 var(--text); }
main, footer { max-width: 43rem; margin: 0 auto; padding: 0 1.25rem; }
main { padding-top: 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; font-weight: 600; margin: 0 0 1.5rem; text-wrap: balance; }
h2 { font-size: 1.2rem; line-height: 1.3; font-weight: 600; margin: 3rem 0 .75rem; }
p { margin: 0 0 .8rem; text-wrap: pretty; hyphens: auto; }
.summary p { margin-bottom: .5rem; }
.summary { padding-left: 1.1rem; border-left: 3px solid var(--accent); }
.summary p:first-child { font-weight: 600; }
.summary p:last-child { margin-bottom: 0; }
code, pre { font-family: var(--mono); font-size: .86em; }
p code { background: var(--wash); border-radius: 3px; padding: .08em .3em; overflow-wrap: anywhere; }
pre { background: var(--wash); border-radius: 6px; padding: .9rem 1.1rem; margin: 0 0 1rem; overflow-x: auto; line-height: 1.5; }
figure { margin: 1.6rem 0; }
figcaption { margin-top: .6rem; font: .82rem/1.5 var(--sans); color: var(--muted); }
figcaption b { color: var(--ink); font-weight: 600; }
.table, .picture { overflow-x: auto; }
.picture svg { display: block; width: 100%; min-width: 28rem; }
table { border-collapse: collapse; min-width: min(100%, 27rem); font: .82rem/1.4 var(--sans); font-variant-numeric: tabular-nums; }
table { border-top: 1.5px solid var(--ink); border-bottom: 1.5px solid var(--ink); }
th, td { padding: .4rem .5rem; white-space: nowrap; font-weight: 400; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); border-bottom: 1px solid var(--rule); vertical-align: bottom; white-space: normal; }
.left { text-align: left; }
.right { text-align: right; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 0; font: .82rem/1.5 var(--sans); }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin: 1rem 0; }
summary { cursor: pointer; color: var(--muted); font: .88rem var(--sans); margin-bottom: .8rem; }
footer { margin-top: 4rem; padding-bottom: 3rem; font: .82rem/1.5 var(--sans); color: var(--muted); }
footer p { border-top: 1px solid var(--rule); padding-top: 1rem; }
@media (prefers-color-scheme: dark) {
  /* turns the white page of a figure dark and keeps its hues */
  .picture svg { filter: invert(.92) hue-rotate(180deg); }
}
@media (max-width: 36rem) {
  body { font-size: 16px; }
  main { padding-top: 2rem; }
  h1 { font-size: 1.6rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --muted: #444; --rule: #bbb; --wash: #f4f4f4; --accent: #000; }
  body { font-size: 10.5pt; }
  main { padding-top: 0; }
  figure, pre { break-inside: avoid; }
  h2 { break-after: avoid; }
  .picture svg { filter: none; min-width: 0; }
}
`
