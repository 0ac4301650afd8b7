# The image of the service: Bun, the packages that the service needs, and the sources. It has no shell
# and no root user.
#
#   docker build -t turnlog .
#   docker run -p 127.0.0.1:3000:3000 -e AUTH=none -e DATABASE_URL=postgres://... turnlog
#
# You must set AUTH=none yourself: in a container the service listens for other machines, and it does
# not authenticate callers yet. See docs/docker.md.

FROM oven/bun:1.4.5-slim AS dependencies
WORKDIR /app
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --production --ignore-scripts
# These files are for compilers and debuggers only.
RUN rm -rf node_modules/typescript node_modules/@typescript node_modules/@types \
      node_modules/bun-types node_modules/undici-types \
  && find node_modules -type f \
      \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' \) -delete
RUN mkdir data

FROM oven/bun:1.4.5-distroless AS service
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 TURNLOG_DATA=/data
COPY --from=dependencies /app/node_modules ./node_modules
# A volume gets its owner from the directory that it is mounted over.
COPY --from=dependencies --chown=65532:65532 /app/data /data
COPY package.json ./
COPY adapters ./adapters
COPY drizzle ./drizzle
COPY src ./src
# The user has no rights. It is a number, so that an orchestrator can see that it is not root.
USER 65532:65532
VOLUME ["/data"]
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["/usr/local/bin/bun", "--no-env-file", "src/main.ts", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/bun", "--no-env-file", "src/main.ts"]
CMD ["serve"]
