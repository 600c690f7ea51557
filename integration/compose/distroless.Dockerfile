# The least that Envoy and the module run in: no shell, nothing but glibc.
ARG MODULE_IMAGE=envoy-original-dst

FROM ${MODULE_IMAGE} AS envoy

FROM scratch
COPY --from=envoy /lib64/ld-linux-x86-64.so.2 /lib64/
COPY --from=envoy \
    /lib/x86_64-linux-gnu/libc.so.6 \
    /lib/x86_64-linux-gnu/libdl.so.2 \
    /lib/x86_64-linux-gnu/libm.so.6 \
    /lib/x86_64-linux-gnu/libpthread.so.0 \
    /lib/x86_64-linux-gnu/librt.so.1 \
    /lib/x86_64-linux-gnu/
COPY --from=envoy /usr/local/bin/envoy /usr/local/bin/
COPY --from=envoy /usr/local/lib/envoy/liboriginal_dst.so /usr/local/lib/envoy/
ENV ENVOY_DYNAMIC_MODULES_SEARCH_PATH=/usr/local/lib/envoy
USER 101:101
