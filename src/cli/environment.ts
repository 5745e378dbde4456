/** An environment variable that the programs look at. */
interface Variable {
  readonly name: string;
  /** What it does, as a whole sentence or more. */
  readonly meaning: string;
}

/** A group of variables. */
interface VariableGroup {
  readonly title: string;
  readonly variables: readonly Variable[];
}

/** Every environment variable that the programs look at: the help and docs/environment.md are made from it. */
export const ENVIRONMENT: readonly VariableGroup[] = [
  {
    title: 'To be let in, where the container URL has no SAS',
    variables: [
      {
        name: 'AZCOPY_AUTO_LOGIN_TYPE',
        meaning:
          'How to log in with Entra ID: SPN, MSI, AZCLI, PSCRED, WORKLOAD or DEVICE, in any case. Without it a SAS or ACCOUNT_KEY is needed.',
      },
      {
        name: 'AZCOPY_TENANT_ID',
        meaning: 'The tenant. SPN needs it; AZCLI, PSCRED, WORKLOAD and DEVICE take it where it is set.',
      },
      {
        name: 'AZCOPY_ACTIVE_DIRECTORY_ENDPOINT',
        meaning: 'Where to log in. Default: https://login.microsoftonline.com.',
      },
      { name: 'AZCOPY_SPA_APPLICATION_ID', meaning: 'SPN: the application (client) id.' },
      { name: 'AZCOPY_SPA_CLIENT_SECRET', meaning: 'SPN: its secret.' },
      {
        name: 'AZCOPY_SPA_CERT_PATH',
        meaning: 'SPN: the PEM file with its certificate and key, in place of a secret.',
      },
      { name: 'AZCOPY_SPA_CERT_PASSWORD', meaning: 'SPN: the password of that file.' },
      { name: 'AZCOPY_MSI_CLIENT_ID', meaning: 'MSI: the client id of the identity, where the machine has several.' },
      { name: 'AZCOPY_MSI_RESOURCE_STRING', meaning: 'MSI: the resource id of the identity, in its place.' },
      { name: 'ACCOUNT_NAME', meaning: 'The storage account whose key is in ACCOUNT_KEY.' },
      { name: 'ACCOUNT_KEY', meaning: 'The key of the account ACCOUNT_NAME: short-lived SAS are made from it.' },
    ],
  },
  {
    title: 'How a load works',
    variables: [
      {
        name: 'AZCOPY_CONCURRENCY_VALUE',
        meaning: 'Requests in flight, a whole number or AUTO, where --concurrency-count is not given.',
      },
      {
        name: 'AZCOPY_LOG_LOCATION',
        meaning: 'The directory that the log of a load goes to, as JOBID.log, in place of the state directory.',
      },
    ],
  },
  {
    title: 'The server of workers on other machines (--workers, --join)',
    variables: [
      { name: 'CLFSLOAD_NATS_CREDS', meaning: 'A file of credentials (JWT and seed).' },
      { name: 'CLFSLOAD_NATS_USER', meaning: 'The user, in their place.' },
      { name: 'CLFSLOAD_NATS_PASSWORD', meaning: 'The password of that user.' },
      { name: 'CLFSLOAD_NATS_PASSWORD_FILE', meaning: 'A file with that password, in its place.' },
      { name: 'CLFSLOAD_NATS_TOKEN', meaning: 'A token, in place of a user.' },
      { name: 'CLFSLOAD_NATS_CA', meaning: 'A file with the certificate that has signed that of the server.' },
      {
        name: 'CLFSLOAD_NATS_CERT',
        meaning: 'A file with a certificate for this client, where the server verifies it.',
      },
      { name: 'CLFSLOAD_NATS_KEY', meaning: 'A file with the key of that certificate.' },
      { name: 'CLFSLOAD_NATS_INBOX', meaning: 'Beginning of the subjects by which answers come. Default: _INBOX.' },
    ],
  },
  {
    title: 'The page of a job (--page, page)',
    variables: [
      {
        name: 'CLFSLOAD_PAGE_TOKEN',
        meaning:
          'The token by which the page is asked for, in place of a random one: 16 to 128 letters, digits, "-" and "_". So that Prometheus can know it.',
      },
    ],
  },
  {
    title: 'The network and the machine',
    variables: [
      {
        name: 'UV_THREADPOOL_SIZE',
        meaning: 'Calls of slow file systems that are under way at once, in the whole process. Default: 128.',
      },
      {
        name: 'HTTPS_PROXY',
        meaning:
          'The proxy for https, as a URL; HTTP_PROXY for http. In lower case too. What a request that was given up has sent to it may arrive late.',
      },
      {
        name: 'NO_PROXY',
        meaning: 'Hosts that are reached without the proxy, separated by commas. In lower case too.',
      },
      { name: 'NODE_EXTRA_CA_CERTS', meaning: 'A file of certificates to be trusted beside those of Node.js.' },
      {
        name: 'TMPDIR',
        meaning:
          'The directory for temporary files: of a container of more than a million objects about 100 bytes for each. Default: /tmp.',
      },
    ],
  },
  {
    title: 'What is shown',
    variables: [
      { name: 'NO_COLOR', meaning: 'Set to anything, the progress line has no colours.' },
      { name: 'TERM', meaning: 'With "dumb", the progress line has no colours.' },
    ],
  },
  {
    title: 'CLFSLoad.py, and two azcopy in PATH',
    variables: [
      {
        name: 'CLFSLOAD_BLOB_ENDPOINT',
        meaning:
          'Replaces https://ACCOUNT.blob.core.windows.net for CLFSLoad.py: http://127.0.0.1:10000/devstoreaccount1 for an emulator.',
      },
      {
        name: 'PATH',
        meaning: 'Where azcopy looks for the next azcopy, to which it hands the commands that it does not have itself.',
      },
      {
        name: 'CLFSLOAD_PASSED_ON',
        meaning: 'Set by azcopy itself when it hands a command on, so that two copies do not call each other for ever.',
      },
    ],
  },
];

/** The table as a terminal shows it. */
export function environmentText(columns = 120): string {
  const width = 2 + Math.max(...ENVIRONMENT.flatMap(({ variables }) => variables.map(({ name }) => name.length)));
  const lines = ENVIRONMENT.flatMap(({ title, variables }) => [
    `${title}:`,
    ...variables.flatMap(({ name, meaning }) =>
      wrapped(meaning, Math.max(30, columns - width - 3)).map(
        (line, at) => `  ${(at === 0 ? name : '').padEnd(width)}${line}`,
      ),
    ),
    '',
  ]);
  return `Environment variables that clfsload and azcopy look at.\n\n${lines.join('\n')}`;
}

/** The table as docs/environment.md. */
export function environmentDocument(): string {
  const groups = ENVIRONMENT.map(
    ({ title, variables }) =>
      `## ${title}\n\n| variable | |\n|---|---|\n${variables.map(({ name, meaning }) => `| \`${name}\` | ${meaning} |`).join('\n')}\n`,
  );
  return `# Environment\n\nMade from the programs' own table by \`npm run docs\`; do not edit. \`clfsload help environment\` shows the same. \`env:NAME\` in place of a container takes it from any variable.\n\n${groups.join('\n')}`;
}

function wrapped(text: string, width: number): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
