"""The style sheet of the report: one for light and dark, for the screen and for paper."""

from __future__ import annotations

from typing import Final

CSS: Final = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --page: #ffffff;
  --card: #f6f8fa; --edge: #d1d9e0; --used: #2f81f7; --used-soft: #b6d7ff; --idle: #d8b4fe;
  --borrowed: #e08700; --limit: #c62828; --peak: #6e7781; --kept: #7c3aed;
  --tree0: #2f81f7; --tree1: #e08700; --tree2: #1a9c6b; --tree3: #b5479d; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa5b1; --page: #0d1117; --card: #161b22; --edge: #3d444d;
    --used: #58a6ff; --used-soft: #1d4373; --idle: #4c2f7a; --borrowed: #f0a93b;
    --limit: #ff7b72; --peak: #8b949e; --kept: #c4a1ff;
    --tree0: #58a6ff; --tree1: #f0a93b; --tree2: #3fc08d; --tree3: #e487cf; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 1180px; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
p { margin: .3rem 0; } .soft, figcaption small { color: var(--soft); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--edge); text-align: right;
  vertical-align: top; } th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; } td.text { text-align: left; }
.wide { overflow-x: auto; }
.cards { display: grid; gap: .7rem; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); }
.cards.side2 { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.cards.side3 { grid-template-columns: repeat(3, minmax(0, 1fr)); }
@media (max-width: 640px) { .cards, .cards.side2, .cards.side3 { grid-template-columns: 1fr; } }
.tables { display: flex; flex-wrap: wrap; gap: 1rem 3rem; align-items: flex-start; }
figure { margin: 0; padding: .6rem .7rem .3rem; border: 1px solid var(--edge);
  border-radius: 8px; background: var(--card); break-inside: avoid; }
figcaption { font-size: .86rem; } svg { display: block; width: 100%; height: auto; }
.bars svg { max-width: 760px; }
text { fill: var(--soft); font: 11px system-ui, sans-serif; } text.label { fill: var(--ink); }
.grid { stroke: var(--edge); stroke-width: .6; } .axis { stroke: var(--soft); }
.used { fill: var(--used-soft); stroke: var(--used); stroke-width: 1.2; }
.peak { fill: none; stroke: var(--peak); stroke-width: 1; }
.charged { fill: var(--idle); stroke: none; }
.borrowed { fill: none; stroke: var(--borrowed); stroke-width: 1.4; }
.limit { stroke: var(--limit); stroke-width: 1.5; stroke-dasharray: 6 3; }
.kept { stroke: var(--kept); stroke-width: 1.3; stroke-dasharray: 2 3; }
.asked { fill: var(--edge); stroke: none; } .admitted { fill: var(--used); stroke: none; }
.waiting { fill: var(--used-soft); stroke: var(--borrowed); stroke-width: 1.2; }
.tree0 { fill: var(--tree0); } .tree1 { fill: var(--tree1); } .tree2 { fill: var(--tree2); }
.tree3 { fill: var(--tree3); }
.key span { display: inline-block; margin-right: 1.1rem; font-size: .86rem; color: var(--soft); }
.key svg { display: inline-block; width: 26px; height: 12px; margin-right: .35rem;
  vertical-align: -1px; }
details > summary { cursor: pointer; margin: .8rem 0; }
@media print { body { max-width: none; padding: 0; } details > * { display: block; } }
"""
