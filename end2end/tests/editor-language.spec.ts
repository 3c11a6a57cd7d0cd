// What the editor of definitions makes of a text, without a browser.
import { expect, test } from '@playwright/test'
import { type Language, help, meaning } from '../../app/editor/language.ts'
import { siblings, stepsTo } from '../../app/editor/outline.ts'

const LINES = `document:
  name: x
do:
  - ask:
      call: approval
      with:
        approvers:
          managerOf: requester

  - note:
      set:
        a: 1
use:
  functions: {}
steps:
- one:
    if: a
- two:
    if: b`.split('\n')

const language: Language = {
  schema: {
    required: ['do'],
    properties: {
      document: { properties: { name: { description: 'Its name.' } } },
      do: { $ref: '#/$defs/list' },
    },
    $defs: {
      list: { items: { additionalProperties: { $ref: '#/$defs/task' } } },
      task: {
        oneOf: [
          { required: ['call'], properties: { call: {}, with: { properties: { any: {} } } } },
          { properties: { set: {}, sync: { type: 'boolean' } } },
        ],
      },
    },
  },
  functions: {
    approval: { system: 'Approval', schema: { properties: { due: { description: 'Until when.' }, how: { enum: ['one', 'all'] }, approvers: {} } } },
  },
}

const path = (row: number, column: number) => stepsTo(LINES, row, column).map(({ name }) => name)

test('a line is where its indentation says', () => {
  expect(path(1, 2)).toEqual(['document'])
  expect(path(4, 6)).toEqual(['do', '*', 'ask'])
  expect(path(7, 10)).toEqual(['do', '*', 'ask', 'with', 'approvers'])
  expect(path(8, 8)).toEqual(['do', '*', 'ask', 'with'])
  expect(path(9, 4)).toEqual(['do', '*'])
  expect(path(12, 0)).toEqual([])
})

test('a list may stand as far left as its name', () => {
  expect(path(18, 4)).toEqual(['steps', '*', 'two'])
  expect(path(17, 2)).toEqual(['steps', '*'])
})

test('siblings are of the same mapping', () => {
  expect([...siblings(LINES, 5, 6)]).toEqual([['with', ''], ['call', 'approval']])
  expect([...siblings(LINES, 16, 4)]).toEqual([['if', 'a']])
})

test('names are those of the language that are not there yet', () => {
  const lines = ['do:', '  - a:', '      ']
  const found = help(language, lines, 2, 6)
  expect(found?.kind === 'names' && found.names.map(({ name }) => name)).toEqual(['call', 'with', 'set', 'sync'])
  expect(help(language, ['do: []', ''], 1, 0)?.kind).toEqual('names')
})

test('arguments are those of the function that is called', () => {
  const lines = ['do:', '  - a:', '      call: approval', '      with:', '        ', '        how: ']
  const found = help(language, lines, 4, 8)
  expect(found?.kind === 'names' && found.names.map(({ name }) => name)).toEqual(['due', 'approvers'])
  const listed = help(language, lines, 5, 13)
  expect(listed?.kind === 'values' && listed.values.map(({ value }) => value)).toEqual(['one', 'all'])
})

test('functions are offered by name', () => {
  const found = help(language, ['do:', '  - a:', '      call: '], 2, 12)
  expect(found).toEqual({ kind: 'values', values: [{ value: 'approval', description: 'Approval' }] })
})

test('a name is explained', () => {
  expect(meaning(language, LINES, 1, 3)).toEqual('Its name.')
  expect(meaning(language, ['do:', '  - a:', '      call: approval', '      with:', '        due: P1D'], 4, 9)).toEqual('Until when.')
  expect(meaning(language, LINES, 3, 5)).toEqual('')
})
