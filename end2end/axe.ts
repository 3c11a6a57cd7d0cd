import type { Page } from '@playwright/test'
import axe from 'axe-core'

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** Gives the page what `violations` asks: once, for it is larger than the page. */
export async function bringAxe(page: Page): Promise<void> {
  await page.evaluate(axe.source)
}

/** Waits until no colour is on its way to that of another theme. */
export async function coloursAtRest(page: Page): Promise<void> {
  await page.evaluate(async () => {
    // What is not drawn, such as what is folded away, stays on its way for as long as it is not.
    const isDrawn = ({ effect }: Animation) => effect instanceof KeyframeEffect && effect.target?.checkVisibility()
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition && isDrawn(animation))
    await Promise.allSettled(transitions.map((transition) => transition.finished))
  })
}

/** What axe finds, in a line each. */
export async function violations(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate((rules) => axe.run(document, { runOnly: rules }), RULES)
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id} (${help}): ${node.target.join(' ')} ${node.failureSummary ?? ''}`))
}
