// Draws docs/terminal.svg: what a real terminal shows of a load on its way, of a check, and of an export.
// Needs the build, and util-linux ("script").
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const COLUMNS = 96;
const root = new URL('..', import.meta.url).pathname;
const place = mkdtempSync(join(tmpdir(), 'clfs-picture-'));

const ESCAPE = String.fromCharCode(27);
const ERASE = `${ESCAPE}[K`;
const PIECES = new RegExp(`${ESCAPE}\\[(\\d*)m|${ESCAPE}\\[K|[\\s\\S]`, 'g');

/** What stands on a terminal to which text, with colours and returns to the beginning of the line, was sent. */
class Screen {
  lines = [[]];
  #column = 0;
  #style = '';

  write(text) {
    for (const [piece, sgr] of text.matchAll(PIECES)) {
      if (piece === ERASE) this.lines.at(-1).length = this.#column;
      else if (sgr !== undefined)
        this.#style = { 1: 'bold', 31: 'red', 32: 'green', 33: 'yellow', 36: 'cyan' }[sgr] ?? '';
      else if (piece === '\r') this.#column = 0;
      else if (piece === '\n') {
        this.lines.push([]);
        this.#column = 0;
      } else this.#put(piece);
    }
  }

  #put(character) {
    if (this.#column === COLUMNS) this.write('\r\n');
    this.lines.at(-1)[this.#column++] = { character, style: this.#style };
  }

  copy() {
    return this.lines.map((line) => [...line]);
  }
}

/** Runs a command on a terminal. @param isMoment tells from the last line when to take the picture; else at the end */
function record(command, isMoment = () => false) {
  const screen = new Screen();
  screen.write(`\x1b[32m$\x1b[0m \x1b[1m${command}\x1b[0m\r\n`);
  const run = command.replace(/^clfsload/, `'${process.execPath}' '${root}bin/clfsload'`);
  const child = spawn('script', ['-qfec', `stty cols ${COLUMNS}; exec ${run}`, '/dev/null'], { cwd: place });
  let moment;
  child.stdout.setEncoding('utf8').on('data', (text) => {
    for (const update of text.split(/(?=\r[^\n])/)) {
      screen.write(update);
      const line = screen.lines
        .at(-1)
        .map(({ character }) => character)
        .join('');
      if (!moment && isMoment(line)) moment = screen.copy();
    }
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(moment ?? screen.copy()) : reject(new Error(`${command}: ${code}`)),
    );
  });
}

const escapeXml = (text) =>
  text.replace(/[&<>]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character]);

function svg(lines) {
  const COLOURS = { red: '#ff7b72', green: '#7ee787', yellow: '#e3b341', cyan: '#79c0ff', bold: '#f0f6fc' };
  const [width, height] = [COLUMNS * 8.43 + 40, lines.length * 19 + 50];
  const rows = lines.map((line, row) => {
    let spans = '';
    for (let at = 0; at < line.length; ) {
      const { style } = line[at];
      let text = '';
      for (; at < line.length && line[at].style === style; at++) text += line[at].character;
      spans +=
        style === ''
          ? escapeXml(text)
          : `<tspan fill="${COLOURS[style]}"${style === 'bold' ? ' font-weight="600"' : ''}>${escapeXml(text)}</tspan>`;
    }
    return `<text x="20" y="${55 + row * 19}" xml:space="preserve">${spans}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(0)} ${height}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="#c9d1d9" role="img" aria-label="A load, a check and an export in a terminal">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${['#ff5f57', '#febc2e', '#28c840'].map((fill, at) => `<circle cx="${24 + at * 20}" cy="20" r="6" fill="${fill}"/>`).join('')}
${rows.join('\n')}
</svg>
`;
}

try {
  for (let d = 0; d < 120; d++) {
    const directory = join(place, 'project', `run-${String(d).padStart(3, '0')}`);
    mkdirSync(directory, { recursive: true });
    for (let f = 0; f < 200; f++)
      writeFileSync(join(directory, `step-${f}.dat`), Buffer.alloc(20_000 + f, `sample ${d} ${f} `));
  }
  const middle = (line) => /(?:5\d|6\d)\.\d %.* left/.test(line);
  const pictures = [
    await record('clfsload load project container --state-path=state --threads=1', middle),
    await record('clfsload verify project container --content'),
    await record('clfsload tree container --max-depth 1 | head -n 4'),
    await record('clfsload export container run-007 restored'),
  ];
  const lines = pictures.flatMap((picture) => [...picture.filter((line) => line.length > 0), []]);
  writeFileSync(join(root, 'docs/terminal.svg'), svg(lines.slice(0, -1)));
} finally {
  rmSync(place, { recursive: true, force: true });
}
