// Runs at CloudFront's edge before every request: who is not in one of RANGES sees nothing, and a folder shows its
// index.html. RANGES is put in front by Terraform: ["203.0.113.0/24", …].

function number(address) {
  return address.split('.').reduce(function (sum, part) { return sum * 256 + Number(part); }, 0);
}

function contains(range, address) {
  var parts = range.split('/');
  var size = Math.pow(2, 32 - Number(parts[1]));
  return Math.floor(number(parts[0]) / size) === Math.floor(number(address) / size);
}

function handler(event) {
  var address = event.viewer.ip;
  var known = /^\d+\.\d+\.\d+\.\d+$/.test(address) && RANGES.some(function (range) { return contains(range, address); });
  if (!known) {
    return { statusCode: 403, statusDescription: 'Forbidden' };
  }
  var request = event.request;
  if (request.uri.endsWith('/')) {
    request.uri += 'index.html';
  }
  return request;
}
