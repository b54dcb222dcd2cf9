// Latency over the last minutes: two lines that differ in more than their colour, in words and as a table, too.
import React from "react";
import { micros, when, ago } from "./words.js";
import { told } from "./model.js";

const WIDTH = 320, HEIGHT = 96, LEFT = 4, TOP = 6, BOTTOM = 18;
const LINES = [
    { key: "read", word: "reads", dash: undefined },
    { key: "write", word: "writes", dash: "5 3" },
];

function path(points, key, x, y) {
    let pen = "M";
    return points.map((p) => {
        if (p[key] === null) {
            pen = "M";
            return "";
        }
        const step = `${pen}${x(p.at).toFixed(1)} ${y(p[key]).toFixed(1)}`;
        pen = "L";
        return step;
    }).join("");
}

export function Chart({ name, points }) {
    const shown = points.filter((p) => p.read !== null || p.write !== null);
    if (!shown.length)
        return <p className="openisw-empty">No input or output since this page was opened.</p>;
    const first = points[0].at, last = points[points.length - 1].at;
    const top = Math.max(...shown.flatMap((p) => [p.read || 0, p.write || 0])) || 1;
    const x = (at) => LEFT + (last > first ? (at - first) / (last - first) : 1) * (WIDTH - 2 * LEFT);
    const y = (us) => TOP + (1 - us / top) * (HEIGHT - TOP - BOTTOM);
    return (
        <figure className="openisw-chart">
            <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Latency of ${name}: ${told(points)}`}>
                <line className="openisw-axis" x1={LEFT} x2={WIDTH - LEFT} y1={HEIGHT - BOTTOM} y2={HEIGHT - BOTTOM} />
                <line className="openisw-axis" strokeDasharray="1 4" x1={LEFT} x2={WIDTH - LEFT} y1={TOP} y2={TOP} />
                {LINES.map((l) => (
                    <g key={l.key} className={`openisw-line openisw-line-${l.key}`}>
                        <path d={path(points, l.key, x, y)} strokeDasharray={l.dash} />
                        {points.filter((p) => p[l.key] !== null).map((p) => <circle key={p.at} cx={x(p.at)} cy={y(p[l.key])} r="1.6" />)}
                    </g>
                ))}
                <text x={LEFT} y={HEIGHT - 4}>{ago(first, last)}</text>
                <text x={WIDTH - LEFT} y={HEIGHT - 4} textAnchor="end">now</text>
                <text x={LEFT} y={TOP + 10}>{micros(top)}</text>
            </svg>
            <figcaption>
                {LINES.map((l) => (
                    <span key={l.key} className={`openisw-key openisw-line-${l.key}`}>
                        <svg viewBox="0 0 20 6" aria-hidden="true"><path d="M0 3H20" strokeDasharray={l.dash} /></svg> {l.word}
                    </span>
                ))}
            </figcaption>
            <details>
                <summary>As a table</summary>
                <table className="openisw-plain">
                    <thead><tr><th scope="col">Time</th><th scope="col">Read</th><th scope="col">Write</th></tr></thead>
                    <tbody>{[...shown].reverse().slice(0, 20).map((p) => (
                        <tr key={p.at}><td>{when(p.at)}</td><td>{micros(p.read)}</td><td>{micros(p.write)}</td></tr>
                    ))}</tbody>
                </table>
            </details>
        </figure>
    );
}
