/**
 * Photographs made small, one task each, with sharp, whose native code every worker takes from its own `node_modules`.
 * sharp has threads of its own; one for each of ours is enough.
 *
 * Prints:
 *     12 photographs of 1600 x 1200 became 12 thumbnails of 320 x 240
 *     … kB before, … kB after
 */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import sharp from 'sharp'
import { connect } from 'heddle'

interface Thumbnail {
  readonly file: string
  readonly width: number
  readonly height: number
  readonly sizeBytes: number
}

async function shrink(file: string, width: number): Promise<Thumbnail> {
  const { default: sharp } = await import('sharp')
  sharp.concurrency(1)
  const target = file.replace('.jpg', `-${width}.webp`)
  const made = await sharp(file).resize({ width }).webp({ quality: 70 }).toFile(target)
  return { file: target, width: made.width, height: made.height, sizeBytes: made.size }
}

/** Stands for a camera: hills of colour, and noise. */
async function takePhotograph(file: string, number: number): Promise<void> {
  const [width, height] = [1_600, 1_200]
  const pixels = new Uint8Array(width * height * 3)
  for (let i = 0; i < pixels.length; i++) {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
    pixels[i] = 128 + 90 * Math.sin((x + number * 50) / 97 + (i % 3)) * Math.cos(y / 61) + ((i * 7) % 13)
  }
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toFile(file)
}

const folder = await mkdtemp(path.join(tmpdir(), 'heddle-photographs-'))
try {
  const files = Array.from({ length: 12 }, (_, i) => path.join(folder, `photograph-${i}.jpg`))
  await Promise.all(files.map(takePhotograph))
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))

  await using client = await connect()
  const thumbnails = await client.gather(client.map(shrink, files, { args: [320] }))
  const [{ width, height }] = thumbnails as [Thumbnail]
  console.log(
    `${files.length} photographs of 1600 x 1200 became ${thumbnails.length} thumbnails of ${width} x ${height}`,
  )
  const kilobytes = (all: readonly number[]): number => Math.round(all.reduce((sum, size) => sum + size, 0) / 1_000)
  console.log(`${kilobytes(sizes)} kB before, ${kilobytes(thumbnails.map(({ sizeBytes }) => sizeBytes))} kB after`)
} finally {
  await rm(folder, { recursive: true })
}
