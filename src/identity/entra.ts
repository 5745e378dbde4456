import type { TokenCredential } from '@azure/identity';
import { ClfsError, messageOf } from '../error.js';

const SCOPE = 'https://storage.azure.com/.default';
const DEFAULT_AUTHORITY = 'https://login.microsoftonline.com';
/**
 * Authorities that the identity library knows. Any other is used as it is, without asking a known one whether it
 * exists.
 */
const KNOWN_AUTHORITIES = [
  'login.microsoftonline.com',
  'login.chinacloudapi.cn',
  'login.microsoftonline.us',
  'login.microsoftonline.de',
];

/** Ways to log in, as `AZCOPY_AUTO_LOGIN_TYPE` names them. */
const LOGIN_TYPES = ['DEVICE', 'SPN', 'MSI', 'AZCLI', 'PSCRED', 'WORKLOAD'] as const;

/** An access token of the storage service. */
export interface AccessToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresMs: number;
}

/** Whether the environment asks for a login. */
export function wantsLogin(env: NodeJS.ProcessEnv): boolean {
  return (env.AZCOPY_AUTO_LOGIN_TYPE ?? '') !== '';
}

/**
 * Logs in as azcopy's environment variables say. The identity library is loaded here and not before.
 *
 * @param onPrompt told what the user has to do (a device code)
 * @returns a way to get a token, and further ones later
 * @throws ClfsError `usage` when variables are missing or unknown
 */
export async function logIn(
  env: NodeJS.ProcessEnv,
  onPrompt: (text: string) => void,
): Promise<() => Promise<AccessToken>> {
  const type = LOGIN_TYPES.find((name) => name === env.AZCOPY_AUTO_LOGIN_TYPE?.toUpperCase());
  if (!type)
    throw new ClfsError(
      'usage',
      `AZCOPY_AUTO_LOGIN_TYPE takes ${LOGIN_TYPES.join(', ')}, not ${JSON.stringify(env.AZCOPY_AUTO_LOGIN_TYPE)}.`,
    );
  const credential = await createCredential(type, env, onPrompt);
  return async () => {
    try {
      const token = await credential.getToken(SCOPE);
      if (!token) throw new Error('no token was given out');
      return { token: token.token, expiresMs: token.expiresOnTimestamp };
    } catch (error) {
      const [firstLine] = messageOf(error).split('\n');
      throw new ClfsError('access-denied', `Cannot log in (AZCOPY_AUTO_LOGIN_TYPE=${type}): ${firstLine}`, {
        cause: error,
      });
    }
  };
}

async function createCredential(
  type: (typeof LOGIN_TYPES)[number],
  env: NodeJS.ProcessEnv,
  onPrompt: (text: string) => void,
): Promise<TokenCredential> {
  const identity = await loadLibrary();
  const tenantId = env.AZCOPY_TENANT_ID || undefined;
  const authorityHost = env.AZCOPY_ACTIVE_DIRECTORY_ENDPOINT || DEFAULT_AUTHORITY;
  const authority = {
    authorityHost,
    disableInstanceDiscovery: !KNOWN_AUTHORITIES.includes(new URL(authorityHost).hostname),
  };
  switch (type) {
    case 'SPN': {
      const tenant = required(env, 'AZCOPY_TENANT_ID');
      const application = required(env, 'AZCOPY_SPA_APPLICATION_ID');
      const certificatePath = env.AZCOPY_SPA_CERT_PATH;
      if (certificatePath) {
        if (/\.(pfx|p12)$/i.test(certificatePath)) {
          throw new ClfsError(
            'usage',
            'AZCOPY_SPA_CERT_PATH must name a PEM file with certificate and key. Make one with "openssl pkcs12 -in FILE.pfx -out FILE.pem".',
          );
        }
        const certificate = { certificatePath, certificatePassword: env.AZCOPY_SPA_CERT_PASSWORD || undefined };
        return new identity.ClientCertificateCredential(tenant, application, certificate, authority);
      }
      return new identity.ClientSecretCredential(
        tenant,
        application,
        required(env, 'AZCOPY_SPA_CLIENT_SECRET'),
        authority,
      );
    }
    case 'MSI':
      if (env.AZCOPY_MSI_CLIENT_ID)
        return new identity.ManagedIdentityCredential({ clientId: env.AZCOPY_MSI_CLIENT_ID });
      if (env.AZCOPY_MSI_RESOURCE_STRING)
        return new identity.ManagedIdentityCredential({ resourceId: env.AZCOPY_MSI_RESOURCE_STRING });
      return new identity.ManagedIdentityCredential();
    case 'AZCLI':
      return new identity.AzureCliCredential({ tenantId });
    case 'PSCRED':
      return new identity.AzurePowerShellCredential({ tenantId });
    case 'WORKLOAD':
      return new identity.WorkloadIdentityCredential({ tenantId, ...authority });
    case 'DEVICE':
      return new identity.DeviceCodeCredential({
        tenantId,
        ...authority,
        userPromptCallback: ({ message }) => onPrompt(message),
      });
  }
}

/** It is no part of the package: most users have a SAS, and need none of its 50 packages. @throws ClfsError `usage` */
async function loadLibrary(): Promise<typeof import('@azure/identity')> {
  try {
    return await import('@azure/identity');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new ClfsError(
      'usage',
      'To log in with Entra ID (AZCOPY_AUTO_LOGIN_TYPE) the package @azure/identity is needed: install it beside this program, "npm install -g @azure/identity" where that was installed with -g. A SAS or ACCOUNT_KEY needs nothing.',
      { cause },
    );
  }
}

function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (!value) throw new ClfsError('usage', `AZCOPY_AUTO_LOGIN_TYPE=SPN needs ${name}.`);
  return value;
}
