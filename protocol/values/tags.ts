/**
 * The form of an encoded value: what the first byte of each node in it says.
 *
 * A value is written as a tree in one walk. Every object gets a number, in the order of writing; a node `REFERENCE`
 * names one that was written before, which keeps cycles and shared objects. Large buffers are not in the tree: a value
 * that has some begins with `WITH_PARTS` and the size of the tree (four bytes), then come the tree and the parts in the
 * order in which the tree names them, each at a multiple of `PART_ALIGNMENT` from the start of the value.
 *
 * Sizes and counts are varints (seven bits a byte, the low ones first). Why not msgpack or V8's own form: the first
 * can't say `-0`, holes, shared objects or an error's properties; the second can't hold futures,
 * registered classes or null prototypes unless the value is copied first. Both need a walk before them anyway.
 */

/** 0 to 127: the number itself. */
export const SMALL_INTEGER_LIMIT = 0x80
/** 0x80 to 0x9f: a text of so many ASCII characters, which follow. */
export const SHORT_TEXT = 0x80
export const SHORT_TEXT_LIMIT = 32
/** 0xa0 to 0xaf: an array of so many items. */
export const SHORT_ARRAY = 0xa0
export const SHORT_ARRAY_LIMIT = 16
/** 0xb0 to 0xbf: a plain object of so many properties, each a text and a value. */
export const SHORT_OBJECT = 0xb0
export const SHORT_OBJECT_LIMIT = 16

export const UNDEFINED = 0xc0
export const NULL = 0xc1
export const FALSE = 0xc2
export const TRUE = 0xc3
/** Two or four bytes, little-endian, with a sign. */
export const INTEGER_16 = 0xc4
export const INTEGER_32 = 0xdb
/** Eight bytes, little-endian. */
export const FLOAT = 0xc5
/** Its hexadecimal digits, as a text. */
export const BIGINT = 0xc6
/** Size in bytes, then one byte a character. */
export const ASCII_TEXT = 0xc7
export const UTF8_TEXT = 0xc8
/** For texts with lone surrogates, which UTF-8 has no place for. */
export const UTF16_TEXT = 0xc9
/** The number of an object written before. */
export const REFERENCE = 0xca
/** The place of a future among the inputs. */
export const INPUT = 0xcb
/** Count, then the items. */
export const ARRAY = 0xcc
/** Length, count of properties, then a text and a value for each: an array with holes or other properties. */
export const SPARSE_ARRAY = 0xcd
/** Count, then a text and a value for each property. */
export const OBJECT = 0xce
/** The same without a prototype. */
export const BARE_OBJECT = 0xcf
/** Count, then a key and a value for each. */
export const MAP = 0xd0
/** Count, then the items. */
export const SET = 0xd1
/** Milliseconds as eight bytes; an invalid date is NaN. */
export const DATE = 0xd2
/** Source and flags, two texts. */
export const REGEXP = 0xd3
/** The primitive value inside. */
export const BOXED = 0xd4
/** Class name; hidden (not enumerable) properties; ordinary properties. Each list: count, then texts and values. */
export const ERROR = 0xd5
/** Message and name, two texts, then both lists of properties as in `ERROR`. */
export const DOM_EXCEPTION = 0xd6
/** The name given to `registerType`, and what its `encode` gave. */
export const REGISTERED = 0xd7
/** A region of memory that is an object itself: an ArrayBuffer or a SharedArrayBuffer. */
export const BUFFER = 0xd8
/** The kind of view, its offset in the region, its size in bytes, and the region. */
export const VIEW = 0xd9
/** Only as the first byte of a value. */
export const WITH_PARTS = 0xda

/** What a region of memory comes back as. With `OUT_OF_BAND` added, its bytes are a part. */
export const REGION_UNSEEN = 0
export const REGION_ARRAY_BUFFER = 1
export const REGION_SHARED_ARRAY_BUFFER = 2
export const REGION_OUT_OF_BAND = 4

/** `WITH_PARTS` and the size of the tree. */
export const PARTS_HEADER_BYTES = 5
/** A multiple of the element size of every typed array, so that each can be a view on its part. */
export const PART_ALIGNMENT = 8

export const alignUp = (size: number): number => Math.ceil(size / PART_ALIGNMENT) * PART_ALIGNMENT
