"""How the parity page looks: one style sheet inside the page, nothing fetched."""

STYLE = """
:root { color-scheme: light dark;
  --ground: #fff; --text: #1b1d21; --soft: #646b76; --line: #e1e4e9; --panel: #f6f7f9;
  --good: #0f7b3f; --good-ground: #e4f5ea; --bad: #b3261e; --bad-ground: #fdeae8;
  --mixed: #8a5a00; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #14161a; --text: #e6e8ec; --soft: #98a0ad; --line: #2c3038; --panel: #1c1f25;
  --good: #5fd38d; --good-ground: #12301f; --bad: #ff8a80; --bad-ground: #3a1715;
  --mixed: #f0b95a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem 1rem 4rem; max-width: 64rem; background: var(--ground);
  color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0 0 1rem; padding: .9rem 1.1rem; border-radius: .6rem; font-size: 1.25rem;
  line-height: 1.35; overflow-wrap: anywhere; }
h1.pass { background: var(--good-ground); color: var(--good); }
h1.fail { background: var(--bad-ground); color: var(--bad); }
h2 { margin: 2.5rem 0 .25rem; font-size: 1.15rem; overflow-wrap: anywhere; }
h3 { margin: 1.5rem 0 .5rem; font-size: 1rem; }
p { margin: .35rem 0; }
.soft { color: var(--soft); font-size: .9rem; }
.pass { color: var(--good); } .fail { color: var(--bad); }
b.pass, b.fail { white-space: nowrap; }
.wide { overflow-x: auto; margin: .75rem 0; border: 1px solid var(--line); border-radius: .6rem; }
pre.wide { white-space: pre-wrap; padding: .6rem .8rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .8rem; text-align: left; vertical-align: top; }
tr + tr > *, thead + tbody > tr:first-child > * { border-top: 1px solid var(--line); }
thead th { background: var(--panel); color: var(--soft); font-size: .82rem; font-weight: 600;
  white-space: nowrap; }
.facts th { width: 13rem; color: var(--soft); font-weight: 400; }
.overview td { white-space: nowrap; }
.overview small { display: block; }
small { color: var(--soft); font-size: .85em; }
.facts td { overflow-wrap: anywhere; } .facts small { white-space: nowrap; }
ul { margin: .5rem 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
.stages { display: grid; gap: .75rem; margin: .75rem 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); }
.stages li { padding: .6rem .8rem .7rem; border: 1px solid var(--line); border-left-width: .3rem;
  border-radius: .6rem; font-size: .9rem; overflow-wrap: anywhere; }
.stages li.pass { border-left-color: var(--good); color: inherit; }
.stages li.fail { border-left-color: var(--bad); color: inherit; background: var(--bad-ground); }
.stages h3 { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 .6rem; margin: 0 0 .25rem;
  font-size: .9rem; }
b.unjudged { color: var(--soft); font-weight: 400; white-space: nowrap; }
.flips { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
figure { margin: 0; border: 1px solid var(--line); border-radius: .6rem; overflow: hidden;
  background: var(--panel); }
figure img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #000; }
figure img.small { image-rendering: pixelated; }
figcaption { padding: .5rem .65rem .65rem; font-size: .82rem; line-height: 1.4;
  overflow-wrap: anywhere; }
figcaption dl { display: grid; grid-template-columns: auto 1fr; gap: 0 .5rem; margin: .2rem 0 0; }
dt { color: var(--soft); } dd { margin: 0; }
.kind { font-weight: 600; }
.lost { color: var(--bad); } .won { color: var(--good); } .other { color: var(--mixed); }
.matrix th, .matrix td { padding: .3rem .55rem; text-align: right; }
.runners { margin: .75rem 0; padding-left: 1.8rem; overflow-wrap: anywhere; }
.runners li::marker { font-weight: 700; }
.same { color: var(--good); } .near { color: var(--mixed); } .far { color: var(--bad); font-weight: 700; }
.ranges { display: grid; gap: .75rem; margin-top: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }
svg.histogram { display: block; width: 100%; height: 4.5rem; }
svg.bars { display: block; width: 100%; min-width: 6rem; height: .9rem; }
.layers td { white-space: nowrap; } .layers td:nth-child(2) { width: 40%; vertical-align: middle; }
.layers td:nth-child(n+3) { text-align: right; }
.layers td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
svg .piled { fill: var(--soft); } svg .local { fill: var(--good); }
.key { display: inline-block; width: .9em; height: .55em; }
.key.piled { background: var(--soft); } .key.local { background: var(--good); }
svg .counts { fill: var(--text); fill-opacity: .55; } svg .range { fill: var(--good-ground); }
svg .ends { stroke: var(--good); stroke-width: 1.5; vector-effect: non-scaling-stroke; fill: none; }
@media (max-width: 34rem) {
  .facts th { width: 8.5rem; } th, td { padding: .4rem .55rem; } .overview { font-size: .9rem; }
  .facts small { display: block; white-space: normal; }
  .layers th:nth-child(2), .layers td:nth-child(2) { display: none; } .layers small { display: block; }
  .flips { grid-template-columns: repeat(2, 1fr); gap: .5rem; } }
"""
