// A picture from twelve bytes (R, hexadecimal) and a network (M, base64), in whole numbers only: the arithmetic of ArtMintPainter.
const m = Uint8Array.from(atob(M), (c) => c.charCodeAt()), q = new Int8Array(m.buffer);
const r = R.match(/../g).map((h) => parseInt(h, 16));
const short = (i) => 16 * ((q[i] << 8) | m[i + 1]);
const clamp = (v, s) => (v < 0 ? 0 : Math.min(255, v >> s));
const mix = (i) => {
  let x = (((r[8] << 24) | (r[9] << 16) | (r[10] << 8) | r[11]) + i * 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
};
const full = (x, n, w, start) =>
  Array.from({ length: n }, (_, j) => clamp(x.reduce((v, a, i) => v + a * q[w + i * n + j], start(j)), 7));
const up = (x, s, ci, co, w, b) => {
  const out = new Uint8Array(4 * s * s * co);
  for (let y = 0; y < 2 * s; y++)
    for (let z = 0; z < 2 * s; z++)
      for (let o = 0; o < co; o++) {
        let v = short(b + 2 * o);
        for (let t = 0; t < 9; t++) {
          const Y = y + ((t / 3) | 0) - 1, Z = z + (t % 3) - 1;
          if (Y < 0 || Z < 0 || Y >= 2 * s || Z >= 2 * s) continue;
          const at = ((Y >> 1) * s + (Z >> 1)) * ci;
          for (let c = 0; c < ci; c++) v += x[at + c] * q[w + (t * ci + c) * co + o];
        }
        out[(y * 2 * s + z) * co + o] = clamp(v, 8);
      }
  return out;
};
// the vocabulary: which class of shapes, which colours
let at = 47120, C = 0, P, p, G, g;
for (let i = 0, n = m[at++]; i < n; i++) {
  const v = m[at], role = m[at + 1];
  at += 2;
  for (let j = 0; j <= v; j++) at += 1 + m[at];
  if (role == 0) C = C * v + r[i];
  else if (role == 1) [P, p] = [v, r[i]];
  else [G, g] = [v, r[i]];
}
at += 1 + m[at];
const dice = mix(8), flags = m[at + 15 * P + 3 * G + C];
const colour = (i) => [m[i], m[i + 1], m[i + 2]];
const colours = [colour(at + 15 * P + 3 * g)];
for (let k = 1; k < 9; k++) colours.push(colour(at + 15 * p + 3 * (((dice >>> 8) + ((dice >> 4) & 1 ? 4 : 1) * k) % 5)));
// the network: eight fields on 32 x 32 points
const z = Array.from({ length: 32 }, (_, i) => ((mix(i >> 2) >>> (24 - 8 * (i & 3))) & 255) - 128);
let x = full(z, 40, 3840, (j) => 256 * q[(4 * C + (dice & 3)) * 40 + j]);
x = full(x, 40, 5120, (j) => short(6720 + 2 * j));
x = full(x, 384, 6800, (j) => {
  const a = 2 * ((j / 24) | 0), w = 22928 + a * 24 + (j % 24);
  return short(22160 + 2 * j) + z[a] * q[w] + z[a + 1] * q[w + 24];
});
x = up(x, 4, 24, 32, 23696, 30608);
x = up(x, 8, 32, 32, 30672, 39888);
x = up(x, 16, 32, 24, 39952, 46864);
const f = new Int32Array(8192);
for (let i = 0; i < 8192; i++) {
  f[i] = short(47104 + 2 * (i % 8));
  for (let c = 0; c < 24; c++) f[i] += x[(i >> 3) * 24 + c] * q[46912 + c * 8 + (i % 8)];
}
// N x N layers: at each pixel the highest whose field is above zero there, on straight lines between the points
const layers = (N) => {
  const out = new Uint8Array(N * N);
  const axis = (i) => {
    const u = (2 * i + 1) * 32 - N, c = Math.floor(u / (2 * N));
    return [Math.max(c, 0), Math.min(c + 1, 31), u - 2 * N * c];
  };
  for (let i = 0; i < N * N; i++) {
    const across = i % N, down = (i - across) / N;
    const [a, b, s] = axis((dice >> 2) & flags & 1 ? N - 1 - across : across);
    const [c, d, t] = axis((dice >> 3) & (flags >> 1) & 1 ? N - 1 - down : down);
    for (let o = 0; o < 8 && !out[i]; o++) {
      const F = (y, z) => f[(y * 32 + z) * 8 + o];
      const above = F(c, a) * (2 * N - s) + F(c, b) * s, below = F(d, a) * (2 * N - s) + F(d, b) * s;
      if (above * (2 * N - t) + below * t > 0) out[i] = 8 - o;
    }
  }
  return out;
};
if (typeof document == "object") {
  const canvas = document.querySelector("canvas"), pen = canvas.getContext("2d");
  const show = () => {
    const N = Math.min(4096, Math.floor(Math.min(innerWidth, innerHeight) * devicePixelRatio)) || 128;
    canvas.width = canvas.height = N;
    const seen = layers(N), image = pen.createImageData(N, N);
    seen.forEach((k, i) => image.data.set([...colours[k], 255], 4 * i));
    pen.putImageData(image, 0, 0);
  };
  addEventListener("resize", show);
  show();
}
