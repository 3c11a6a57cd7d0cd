/**
 * The editor of definitions: CodeMirror in the place of a plain text area.
 *
 * `<rondo-editor>` stands around the text area, which goes on to hold the text: it is what the form sends, and what the page
 * reads and writes. Without this module the text area is the editor.
 */

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, isolateHistory } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { EditorState, type Text } from '@codemirror/state'
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers, type Tooltip } from '@codemirror/view'
import { classHighlighter } from '@lezer/highlight'
import { type Language, help, meaning } from './language.ts'
import { korean } from './phrases.ts'
import { theme } from './theme.ts'

const LANGUAGE = '/api/v1/definitions/language'

let language: Promise<Language | undefined> | undefined

/** What the server knows of the language; asked for once, when it is first needed. */
function known(): Promise<Language | undefined> {
  language ??= fetch(LANGUAGE)
    .then((answer) => (answer.ok ? (answer.json() as Promise<Language>) : undefined))
    .catch(() => undefined)
  return language
}

const linesOf = (text: Text): string[] => text.toJSON()

async function complete(context: CompletionContext): Promise<CompletionResult | null> {
  const line = context.state.doc.lineAt(context.pos)
  const word = /[\w$.-]*$/.exec(line.text.slice(0, context.pos - line.from))?.[0] ?? ''
  if (word === '' && !context.explicit) return null
  const told = await known()
  if (!told || context.aborted) return null
  const column = context.pos - line.from - word.length
  const found = help(told, linesOf(context.state.doc), line.number - 1, column)
  if (!found) return null
  const rest = context.state.doc.sliceString(context.pos, line.to)
  const options: Completion[] =
    found.kind === 'names'
      ? found.names.map(({ name, description, required }) => ({
          label: name,
          type: 'property',
          boost: required ? 1 : 0,
          apply: rest.trimStart().startsWith(':') ? name : `${name}: `,
          ...(description === '' ? {} : { info: description }),
        }))
      : found.values.map(({ value, description }) => ({
          label: value,
          type: 'enum',
          ...(description === '' ? {} : { detail: description }),
        }))
  return { from: line.from + column, options, validFor: /^[\w$.-]*$/ }
}

async function explain(view: EditorView, position: number): Promise<Tooltip | null> {
  const told = await known()
  const line = view.state.doc.lineAt(position)
  const words = told ? meaning(told, linesOf(view.state.doc), line.number - 1, position - line.from) : ''
  if (words === '') return null
  return {
    pos: position,
    above: true,
    create: () => {
      const dom = document.createElement('p')
      dom.className = 'editor__meaning'
      dom.textContent = words
      return { dom }
    },
  }
}

/** `LINE⇥COLUMN⇥MESSAGE` in each line. */
function diagnosticsOf(text: string, doc: Text): Diagnostic[] {
  return text.split('\n').filter(Boolean).map((entry) => {
    const [line = '1', column = '1', ...message] = entry.split('\t')
    const at = doc.line(Math.min(Math.max(Number(line), 1), doc.lines))
    // Columns are counted in characters, the editor counts in units of UTF-16.
    const before = [...at.text].slice(0, Number(column) - 1).join('').length
    const from = at.from + Math.min(before, at.length)
    const word = /^[^\s:,\]}]+/.exec(at.text.slice(from - at.from))?.[0].length ?? 0
    return { from, to: Math.min(from + Math.max(word, 1), at.to), severity: 'error', message: message.join('\t') }
  })
}

/** The one change that makes a text of another. */
function difference(before: string, after: string): { from: number; to: number; insert: string } {
  const shorter = Math.min(before.length, after.length)
  let from = 0
  while (from < shorter && before[from] === after[from]) from += 1
  let end = 0
  while (end < shorter - from && before.at(-1 - end) === after.at(-1 - end)) end += 1
  return { from, to: before.length - end, insert: after.slice(from, after.length - end) }
}

class RondoEditor extends HTMLElement {
  static observedAttributes = ['diagnostics']

  private view: EditorView | undefined
  private ends = new AbortController()

  connectedCallback(): void {
    // The page may give the area its text only after it has put it into the document.
    queueMicrotask(() => {
      const area = this.querySelector('textarea')
      if (area && this.isConnected && !this.view) this.takeThePlaceOf(area)
    })
  }

  private takeThePlaceOf(area: HTMLTextAreaElement): void {
    this.ends = new AbortController()
    const changed = EditorView.updateListener.of((update) => {
      if (!update.docChanged) return
      area.value = update.state.doc.toString()
      area.dispatchEvent(new Event('input', { bubbles: true }))
    })
    const nonce = document.querySelector<HTMLScriptElement>('script[nonce]')?.nonce ?? ''
    this.view = new EditorView({
      doc: area.value,
      selection: { anchor: Math.min(area.selectionStart, area.value.length) },
      extensions: [
        EditorView.cspNonce.of(nonce),
        theme,
        document.documentElement.lang === 'ko' ? EditorState.phrases.of(korean) : [],
        lineNumbers(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        highlightSelectionMatches(),
        search({ top: true }),
        yaml(),
        syntaxHighlighting(classHighlighter),
        lintGutter(),
        autocompletion({ override: [complete] }),
        hoverTooltip(explain),
        // Tab leaves the editor, as it leaves any field: nobody is caught in it.
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap]),
        EditorView.contentAttributes.of({
          'aria-labelledby': `${area.id}-label`,
          tabindex: '0',
          'aria-describedby': area.getAttribute('aria-describedby') ?? '',
        }),
        changed,
      ],
    })
    const { signal } = this.ends
    // The page shows a place by the text area's selection and focus, and tells that it has changed the text.
    area.addEventListener('focus', () => this.follow(area), { signal })
    area.addEventListener('rondo:text', () => this.take(area.value), { signal })
    area.tabIndex = -1
    area.setAttribute('aria-hidden', 'true')
    this.append(this.view.dom)
    this.classList.add('editor--rich')
    this.attributeChangedCallback()
  }

  disconnectedCallback(): void {
    this.ends.abort()
    this.view?.destroy()
    this.view = undefined
  }

  attributeChangedCallback(): void {
    if (!this.view) return
    const found = diagnosticsOf(this.getAttribute('diagnostics') ?? '', this.view.state.doc)
    this.view.dispatch(setDiagnostics(this.view.state, found))
  }

  private follow(area: HTMLTextAreaElement): void {
    if (!this.view) return
    const anchor = Math.min(area.selectionStart, this.view.state.doc.length)
    this.view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: 'center' }) })
    this.view.focus()
  }

  /** Takes a text that the page has changed: as one step of undoing, and only what differs, so that nothing else moves. */
  private take(text: string): void {
    const now = this.view?.state.doc.toString() ?? text
    if (now !== text) this.view?.dispatch({ changes: difference(now, text), annotations: isolateHistory.of('full') })
  }
}

customElements.define('rondo-editor', RondoEditor)
