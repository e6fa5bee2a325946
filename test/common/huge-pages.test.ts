import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withHugePages } from '../../common/node/huge-pages.js'

test('asks for huge pages, beside what was asked for, unless something was said of them', () => {
  assert.equal(withHugePages(undefined), 'glibc.malloc.hugetlb=1')
  assert.equal(withHugePages(''), 'glibc.malloc.hugetlb=1')
  assert.equal(withHugePages('glibc.malloc.arena_max=1'), 'glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1')
  assert.equal(withHugePages('glibc.malloc.hugetlb=0'), 'glibc.malloc.hugetlb=0')
})
