#!/usr/bin/php -q
<?php
// Habits of phpagi: fgets on php://stdin, fwrite and fflush, explode on ": ", usage blocks read to their end.
ob_implicit_flush(true);
$in = fopen('php://stdin', 'r');
$out = fopen('php://stdout', 'w');
$request = array();
$seen = '';
$str = fgets($in);
while ($str != "\n") {
    $seen .= $str;
    $request[substr($str, 0, strpos($str, ':'))] = trim(substr($str, strpos($str, ':') + 1));
    $str = fgets($in);
}
$seen .= $str;

function evaluate($command)
{
    global $in, $out, $seen;
    if (!fwrite($out, trim($command) . "\n")) {
        return array('code' => 500, 'data' => '');
    }
    fflush($out);
    $str = fgets($in);
    $seen .= $str;
    if (substr($str, 0, 4) == '520-') {
        do {
            $str = fgets($in);
            $seen .= $str;
        } while (substr($str, 0, 4) != '520 ');
    }
    $ret = array('code' => substr($str, 0, 3), 'data' => '');
    $open = strpos($str, '(');
    if ($open !== false) {
        $ret['data'] = substr($str, $open + 1, strrpos($str, ')') - $open - 1);
    }
    return $ret;
}

evaluate('VERBOSE "php ' . PHP_OS_FAMILY . '" 1');
$r = evaluate('GET VARIABLE LONG');
evaluate('SET VARIABLE PHP_LONG ' . strlen($r['data']));
$r = evaluate('GET FULL VARIABLE "${LONG}"');
evaluate('SET VARIABLE PHP_FULL ' . strlen($r['data']));
evaluate('SET VARIABLE');
evaluate('EXEC NoOp "a,b"');
evaluate('SET CALLERID "Somebody <4711>"');
evaluate('SET VARIABLE PHP_ARGS "' . implode('|', array_slice($argv, 1)) . '"');
evaluate('SET EXTENSION after');
evaluate('SET PRIORITY 1');
file_put_contents(getenv('AST_SPOOL_DIR') . '/tmp/seen-' . $request['agi_uniqueid'], $seen);
