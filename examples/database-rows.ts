/**
 * Rows of a table, read and worked on in parallel by ranges of their ids. Each worker thread opens one pool of connections
 * when its first task wants it, and all its further tasks use that one.
 *
 *     DATABASE_URL=postgres://user@host/name node dist/examples/database-rows.js
 *
 * Prints:
 *     50,000 orders in 25 ranges
 *     north: 12500 orders, 624,750.00
 *     east: 12500 orders, 624,875.00
 *     south: 12500 orders, 625,000.00
 *     west: 12500 orders, 625,125.00
 *     pools opened: at most one for each of 2 threads: true
 */
import pg from 'pg'
import { connect, LocalCluster } from 'heddle'

const ORDERS = 50_000
const RANGE = 2_000
const REGIONS = ['north', 'east', 'south', 'west']

interface Total {
  readonly region: string
  readonly orders: number
  readonly cents: number
}

/** What was ordered in each region, among the orders from `start` to before `end`. */
async function totalsOf(start: number, end: number, url: string): Promise<{ totals: Total[]; session: string }> {
  const { task } = await import('heddle/task')
  const { default: pg } = await import('pg')
  const pool = task.local('orders', () => new pg.Pool({ connectionString: url, max: 1 }))
  const { rows } = await pool.query<Total & { session: string }>(
    `SELECT region, count(*)::int AS orders, sum(cents)::int AS cents, pg_backend_pid()::text AS session
     FROM orders WHERE id >= $1 AND id < $2 GROUP BY region`,
    [start, end],
  )
  return { totals: rows, session: rows[0]?.session ?? '' }
}

const url = process.env['DATABASE_URL']
if (url === undefined) throw new Error('Set DATABASE_URL to the address of a PostgreSQL database.')
const database = new pg.Client({ connectionString: url })
await database.connect()
await database.query('CREATE TABLE orders (id int PRIMARY KEY, region text NOT NULL, cents int NOT NULL)')
try {
  await database.query(
    `INSERT INTO orders SELECT id, ($1::text[])[id % 4 + 1], id % 10000 FROM generate_series(0, $2) AS id`,
    [REGIONS, ORDERS - 1],
  )
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  const ranges = Array.from({ length: ORDERS / RANGE }, (_, i) => [i * RANGE, (i + 1) * RANGE, url] as const)
  const parts = await client.gather(client.starmap(totalsOf, ranges))
  console.log(`${ORDERS.toLocaleString('en')} orders in ${parts.length} ranges`)

  for (const region of REGIONS) {
    const totals = parts.flatMap((part) => part.totals).filter((total) => total.region === region)
    const orders = totals.reduce((sum, total) => sum + total.orders, 0)
    const cents = totals.reduce((sum, total) => sum + total.cents, 0)
    console.log(`${region}: ${orders} orders, ${(cents / 100).toLocaleString('en', { minimumFractionDigits: 2 })}`)
  }
  const sessions = new Set(parts.map(({ session }) => session))
  console.log('pools opened: at most one for each of 2 threads:', sessions.size <= 2)
} finally {
  await database.query('DROP TABLE orders')
  await database.end()
}
