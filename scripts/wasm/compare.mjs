// node compare.mjs MODULE.wasm NATIVE.csv: the module's positions against those of the native program.
import { readFileSync } from "node:fs";

// Native sines and cosines differ from WebAssembly's in the last bit: 1e-9 m at 7,000 km, 1e-8 m at the height of a day's orbit.
const TOLERANCE_M = 1e-6;

const [modulePath, csvPath] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(modulePath), {});
const { satellites, propagate, coordinate_m } = instance.exports;

let worst = 0;
let positions = 0;
let failures = 0;
let now;
const times = new Set();
for (const line of readFileSync(csvPath, "utf8").trim().split("\n").slice(1)) {
  const [seconds, satellite, ...native] = line.split(",").map(Number);
  if (seconds !== now) propagate((now = seconds));
  times.add(seconds);
  const wasm = [0, 1, 2].map((axis) => coordinate_m(satellite, axis));
  positions += 1;
  if (native.some(Number.isNaN)) {
    failures += 1;
    if (!wasm.every(Number.isNaN)) throw new Error(`${line}: native gives no position, WebAssembly ${wasm}`);
    continue;
  }
  const distance = Math.hypot(...wasm.map((x, axis) => x - native[axis]));
  if (!(distance <= TOLERANCE_M)) throw new Error(`${line}: WebAssembly gives ${wasm}, ${distance} m off`);
  worst = Math.max(worst, distance);
}
if (times.size === 0 || positions !== satellites() * times.size || failures === positions) {
  throw new Error(`${positions} positions of ${satellites()} satellites at ${times.size} times: nothing was compared`);
}
console.log(`${positions} positions (${failures} that SGP4 refuses), largest difference ${worst.toExponential(1)} m`);
