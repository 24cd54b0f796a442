/// <reference types="vitest/config" />
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

// The server's address while developing the pages: `npm run dev` beside `coverslip app`.
const SERVER = process.env.COVERSLIP_SERVER ?? 'http://127.0.0.1:8765';

const modules = new URL('node_modules/', import.meta.url);

/** The API's documentation works without the network: Swagger UI's own files, beside the pages. */
function withApiDocs(): Plugin {
  return {
    name: 'api-docs',
    apply: 'build',
    generateBundle() {
      for (const name of ['swagger-ui.css', 'swagger-ui-bundle.js'])
        this.emitFile({
          type: 'asset',
          fileName: `docs/${name}`,
          source: readFileSync(new URL(`swagger-ui-dist/${name}`, modules)),
        });
    },
  };
}

/** What others wrote is passed on with their licences. */
function withLicences(): Plugin {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
  const names = ['svelte', 'swagger-ui-dist', ...Object.keys(dependencies)];
  return {
    name: 'licences',
    apply: 'build',
    generateBundle() {
      const texts = names.map((name) => {
        const folder = new URL(`${name}/`, modules);
        const file = readdirSync(folder).find((one) => /^licen[cs]e(\.|$)/i.test(one));
        if (!file) throw new Error(`${name} has no licence file`);
        return `${name}\n\n${readFileSync(new URL(file, folder), 'utf8')}`;
      });
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: texts.join('\n\n') });
    },
  };
}

const FIRST_PAGE = [
  'src/App.svelte',
  'features/start/Start.svelte',
  ...['datasets', 'general', 'guide', 'remedies'].map((part) => `texts/en/${part}.ts`),
];
const FIRST_PAGE_BYTES = 72_000;

/** The build fails if the scripts of the first page are too large, compressed. */
function withFirstPageLimit(): Plugin {
  return {
    name: 'first-page-limit',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
        const needed = new Set(
          chunks.filter(
            ({ isEntry, facadeModuleId: file }) => isEntry || FIRST_PAGE.some((end) => file?.endsWith(end)),
          ),
        );
        if (needed.size <= FIRST_PAGE.length) this.error(`${FIRST_PAGE.join(' or ')} has no chunk`);
        for (const { imports } of needed)
          // the set grows meanwhile
          for (const chunk of chunks) if (imports.includes(chunk.fileName)) needed.add(chunk);
        const n = [...needed].reduce((sum, { code }) => sum + gzipSync(code).length, 0);
        if (n > FIRST_PAGE_BYTES)
          this.error(`The first page needs ${n} bytes of scripts. The limit is ${FIRST_PAGE_BYTES}.`);
        console.log(`first page: ${n} bytes of scripts, compressed`);
      },
    },
  };
}

export default defineConfig({
  plugins: [svelte(), withApiDocs(), withLicences(), withFirstPageLimit()],
  base: './', // the server puts the folder of the app into `<base>`
  build: {
    outDir: '../src/coverslip/app/static',
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    cssCodeSplit: false, // small, and its rules keep their order
    // A data: URL would not pass the pages' strict policy for scripts and styles.
    assetsInlineLimit: 0,
    // Few requests: what most pages share is in one file.
    rolldownOptions: {
      output: {
        codeSplitting: { groups: [{ name: 'shared', test: /src\/(ui|state|api)\//, minShareCount: 5 }] },
      },
    },
  },
  server: {
    proxy: {
      '/api': {
        target: SERVER,
        changeOrigin: true,
        // The server answers its own pages only: while developing, these are.
        configure: (proxy) => proxy.on('proxyReq', (request) => request.setHeader('origin', SERVER)),
      },
    },
  },
  // css: else Vitest hands out empty files, and tests/look.test.ts reads them. isolate: the files share their modules,
  // which would take longer to load for each file than all tests take.
  test: { include: ['tests/**/*.test.ts'], setupFiles: ['tests/english.ts'], css: true, isolate: false },
});
