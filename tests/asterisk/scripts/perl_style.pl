#!/usr/bin/perl
# Habits of Asterisk::AGI: ReadParse with a pattern, $| = 1, one read per command.
use strict;
use warnings;

$| = 1;
my (%input, @seen);
while (<STDIN>) {
    push @seen, $_;
    chomp;
    last unless length($_);
    if (/^agi_(\w+)\:\s+(.*)$/) {
        $input{$1} = $2;
    }
}

sub execute {
    my ($command) = @_;
    print "$command\n";
    my $result = <STDIN>;
    push @seen, $result;
    if ($result =~ /^520-/) {
        while ($result !~ /^520 /) {
            $result = <STDIN>;
            push @seen, $result;
        }
        return -1;
    }
    chomp $result;
    return $1 if $result =~ /^200 result=(-?[\d*#]+)$/;
    return $2 if $result =~ /^200 result=(-?[\d*#]*)\s?\((.*)\)$/;
    return $1 if $result =~ /^200 result=(-?[\d*#]*)/;
    return -1;
}

$SIG{HUP} = sub { };
execute("VERBOSE \"perl here\" 3");
my $name = execute('GET VARIABLE CALLERID(name)');
execute("SET VARIABLE PL_NAME \"$name\"");
execute("EXEC Set \"PL_EXEC=1\"");
execute("CHANNEL STATUS");
execute("WAIT FOR DIGIT 30");
execute("SAY NUMBER abc \"\"");
execute("DATABASE DELTREE nothing");
execute("SET VARIABLE PL_ARGS \"" . join('|', @ARGV) . "\"");
open(my $out, '>', "$ENV{AST_SPOOL_DIR}/tmp/seen-$input{uniqueid}") or exit 9;
print $out @seen;
close($out);
exit 3;
