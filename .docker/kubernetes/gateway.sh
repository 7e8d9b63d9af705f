#!/bin/sh
# Starts the gateway on Kubernetes with the configuration that the image holds. Only there it is known which DNS server
# answers for the cluster, and nginx completes no short name: both are in the first lines of /etc/resolv.conf.
# usage: gateway.sh [CONFIGURATION [WRITABLE [RESOLV.CONF]]]
set -eu
from=${1:-/etc/nginx} into=${2:-/tmp} resolv=${3:-/etc/resolv.conf}
dns=$(awk '$1 == "nameserver" { print $2; exit }' "$resolv")
domain=$(awk '$1 == "search" { print $2; exit }' "$resolv")
case $dns in *:*) dns="[$dns]" ;; esac
sed -e "s/resolver 127\.0\.0\.11 /resolver $dns /" \
  -e "s/server \(contents\|media\|script\):8080 /server \1.$domain:8080 /" "$from/nginx.conf" >"$into/nginx.conf"
for proxy in $(echo "${GATEWAY_TRUSTED_PROXY:-}" | tr , ' '); do echo "set_real_ip_from $proxy;"; done >"$into/trusted-proxy.conf"
cp "$from/console-${CONSOLE:-off}.conf" "$into/console.conf"
exec nginx -c "$into/nginx.conf" -g 'daemon off;'
