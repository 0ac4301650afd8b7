/** Patterns of sentences that a reader has to read twice. CONTRIBUTING.md has the rules in words. */
import nlp from 'compromise'
import type { Sentence } from './prose.ts'

export type Pattern = {
  readonly name: string
  /** What to write instead. */
  readonly instead: string
  readonly isIn: (sentence: Sentence) => boolean
}

const matches =
  (...expressions: readonly RegExp[]) =>
  ({ text }: Sentence): boolean =>
    expressions.some((expression) => expression.test(text))

const relative = /^["(]*(What|Who|Whoever|Whatever|Whose|Whichever|That which|Nobody|Anybody)\b/

/** Words after which `who` and `what` have no noun that they refer to. */
const relativeInside =
  /\b(and|but|or|so that|of|for|to|by|from|with|in|on|as|than|that|if|while|until|because|when|after|before|at) (who|whoever|whose|whatever|what(?! to))\b/i

/** Words that open no phrase which names a value. */
const fragments =
  /^(Not|Never|Nor|Neither|Else|So|Then|No more|As|Only|Also|And|Or|But|Of|For|With|Without|By|In|On|At|To|From|Like|Because|Where|Beside|Besides)\b/

/** Verbs that the library takes for nouns: they open a docstring, or are the verb of a short sentence. */
const ambiguous =
  /\b(throws?|refuses?|answers?|counts?|calls?|closes?|fails?|resets?|replays?|limits?|returns?|ends?|starts?|stops?|writes?|reads?|sends?|stores?|keeps?|drops?|waits?|tests?|needs?|uses?|runs?|records?|holds?|moves?|matches|changes?|repeats?|queues?|batches|locks?|caches?|compares?|follows?|resumes?|retries|polls?|forwards?|exits?|prints?|logs?|scans?|costs?|sorts?|rejects?|names?|marks?|splits?|settles?|works?|passes|lasts?|drains?|pings?|takes?|leaves?|lists?|links?|opens?|copies|parses|formats?|maps?|measures?|shows?|points?|increments?|decreases?|applies|fills?|reports?|acknowledges?|sets?|lets?|rolls?|times?|pairs?|lives?|loops?|signals?|exceeds?|appears?|includes?|contains?|expires?|arrives?|see|builds?|hides?|shares?|covers?|reaches|blocks?|releases?|wakes?|bounds?|guards?|tries|kills?|pauses?|races?|yields?|throttles?|grows?|remains?|equals?|differs?|belongs?|depends?|exists?|proves?|describes?|decides?|delivers?|hears?|speaks?|sleeps?|creates?|removes?|deletes?|inserts?|updates?|selects?|computes?|adds?|makes?|gives?|gets?|does|do|has|have|is|are|was|were|be|can|may|must|should|will|cannot)\b/i

const hasVerb = (text: string): boolean => ambiguous.test(text) || nlp(text).verbs().found

/** Words that open a title without a subject. */
const openers =
  /^(that|which|who|whose|what|whatever|whoever|is|are|was|were|has|have|had|does|do|did|can|cannot|may|must|of|to|by|in|on|at|with|without|for|from|as|not|and|or|but|where|under|behind|beside|between|through|per|even|also|never|always|is|its|their|it|they|them)\b/

const thirdPerson =
  /^(refuses|keeps|takes|gives|ends|says|holds|goes|gets|shows|lets|tells|names|answers|sends|counts|asks|writes|stays|leaves|includes|finds|stands|rejects|prints|makes|follows|throws|stops|serves|sees|runs|records|passes|opens|calls|uses|turns|starts|resumes|reports|reads|fails|differs|creates|costs|comes|begins|attaches|waits|wakes|speaks|skips|reaches|settles|splits|sets|tries|wins|wants|drops|closes|returns|matches|removes|adds|moves|loses|cuts|marks|measures|repeats|releases|replaces|resets|survives|sorts|lists|knows|ignores|forgets|falls|fits|exits|decides|delivers|copies|compares|catches|brings|breaks|blocks|becomes|batches|accepts|allows|applies|appears|needs|lasts|misses|meets|logs|links|lives)\b/

export const patterns: readonly Pattern[] = [
  {
    name: 'subject without antecedent',
    instead: 'Name the thing: not "what waits", but "queued turns".',
    isIn: ({ text }) => relative.test(text) && !text.endsWith('?'),
  },
  {
    name: 'who or what without a noun',
    instead: 'Name the actor or the thing: not "for who comes late", but "for late subscribers".',
    isIn: ({ text }) => relativeInside.test(text) && !text.endsWith('?'),
  },
  {
    name: 'so many',
    instead: 'Name the number: not "the newest so many", but "the newest N".',
    isIn: matches(
      /\b(so|that) (many|much|long|often|few)\b(?! (as|that)\b)/i,
      /\bas (many|much|often|long) as there (are|is|were|was)\b/i,
    ),
  },
  {
    name: 'told or said',
    instead: 'Say reported, known, sent or printed, and by whom.',
    isIn: matches(
      /\b(is|are|was|were|be|been|being|gets?|got|as|has|have|had|what) (told|said)\b/i,
      /\btells? of\b/i,
      /\b(says?|said) so\b/i,
    ),
  },
  {
    name: 'no verb',
    instead: 'Write a sentence: subject, verb, object.',
    isIn: ({ text, first, kind }) => {
      // `Default X.` is the form of a default in every schema.
      if (kind === 'title' || !/[.:]$/.test(text) || /^Default X\.$/.test(text)) return false
      if (first && !fragments.test(text)) return false
      // Each page of docs begins by saying whom it is for.
      if (first && kind === 'document' && text.startsWith('For ')) return false
      return text.split(' ').length > 1 && !hasVerb(text)
    },
  },
  {
    name: 'title without subject',
    instead: 'Begin with the subject: "a body past the bound is refused with body-too-large".',
    isIn: ({ text, kind }) => kind === 'title' && (openers.test(text) || thirdPerson.test(text)),
  },
]

export type Finding = Sentence & { readonly pattern: string }

export const findingsIn = (sentences: readonly Sentence[]): Finding[] =>
  sentences.flatMap((sentence) =>
    patterns
      .filter(({ isIn }) => isIn(sentence))
      .map(({ name }) => ({ ...sentence, pattern: name })),
  )
